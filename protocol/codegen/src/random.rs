//! Bytes of random messages: a walk through the registry that makes up what it meets.
//!
//! Knows formats and bincode's layout. Invariant: the same seed gives the same bytes; they are a message of the type that
//! was asked for, whose lists and texts are short enough for every limit of the wire.

use serde_reflection::{ContainerFormat, Format, Named, Registry, VariantFormat};

/// Random numbers, good enough for tests (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence that begins with `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number of `bits` bits at most; small ones, zero and the largest are as likely as others.
    fn number(&mut self, bits: u32) -> u64 {
        let max = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        match self.below(8) {
            0 => 0,
            1 => max,
            2 => self.below(4),
            _ => self.next() & max,
        }
    }
}

/// Appends a random value of the container `name`.
///
/// # Errors
/// What cannot be on the wire.
pub(crate) fn value(
    registry: &Registry,
    name: &str,
    random: &mut Random,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match registry.get(name).ok_or_else(|| format!("{name} is not in the registry"))? {
        ContainerFormat::UnitStruct => Ok(()),
        ContainerFormat::NewTypeStruct(format) => one(registry, format, random, out),
        ContainerFormat::TupleStruct(formats) => all(registry, formats, random, out),
        ContainerFormat::Struct(fields) => fields_of(registry, fields, random, out),
        ContainerFormat::Enum(variants) => {
            let tag =
                u32::try_from(random.below(variants.len() as u64)).map_err(|error| error.to_string())?;
            out.extend(tag.to_le_bytes());
            let variant = variants.get(&tag).ok_or_else(|| format!("{name} has no variant {tag}"))?;
            match &variant.value {
                VariantFormat::Unit => Ok(()),
                VariantFormat::NewType(format) => one(registry, format, random, out),
                VariantFormat::Tuple(formats) => all(registry, formats, random, out),
                VariantFormat::Struct(fields) => fields_of(registry, fields, random, out),
                VariantFormat::Variable(_) => Err(format!("{name}::{} is unknown", variant.name)),
            }
        }
    }
}

fn fields_of(
    registry: &Registry,
    fields: &[Named<Format>],
    random: &mut Random,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    fields.iter().try_for_each(|field| one(registry, &field.value, random, out))
}

fn all(
    registry: &Registry,
    formats: &[Format],
    random: &mut Random,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    formats.iter().try_for_each(|format| one(registry, format, random, out))
}

fn one(registry: &Registry, format: &Format, random: &mut Random, out: &mut Vec<u8>) -> Result<(), String> {
    match format {
        Format::TypeName(name) => value(registry, name, random, out)?,
        Format::Bool => out.push(u8::from(random.below(2) == 1)),
        Format::U8 | Format::I8 => out.extend(random.number(8).to_le_bytes().iter().take(1)),
        Format::U16 | Format::I16 => out.extend(random.number(16).to_le_bytes().iter().take(2)),
        Format::U32 | Format::I32 => out.extend(random.number(32).to_le_bytes().iter().take(4)),
        Format::U64 => out.extend(random.number(EXACT_BITS).to_le_bytes()),
        Format::I64 => {
            let magnitude = i64::try_from(random.number(EXACT_BITS)).map_err(|error| error.to_string())?;
            out.extend((if random.below(2) == 0 { magnitude } else { -magnitude }).to_le_bytes());
        }
        Format::Str => {
            let text: String = (0..random.below(LENGTH)).map(|_| character(random)).collect();
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.bytes());
        }
        Format::Option(inner) => {
            let some = random.below(2) == 1;
            out.push(u8::from(some));
            if some {
                one(registry, inner, random, out)?;
            }
        }
        Format::Seq(inner) => {
            let length = random.below(LENGTH);
            out.extend(length.to_le_bytes());
            (0..length).try_for_each(|_| one(registry, inner, random, out))?;
        }
        Format::Tuple(formats) => all(registry, formats, random, out)?,
        Format::TupleArray { content, size } => {
            (0..*size).try_for_each(|_| one(registry, content, random, out))?;
        }
        other => return Err(format!("{other:?} is not used on the wire")),
    }
    Ok(())
}

/// One to four bytes of UTF-8.
fn character(random: &mut Random) -> char {
    let samples = ['a', 'Z', '0', '\0', '"', 'é', 'ß', '€', '漢', '😀'];
    usize::try_from(random.below(10)).ok().and_then(|index| samples.get(index)).copied().unwrap_or('a')
}

/// Numbers up to 2^53 are exact on both sides; the Node host rounds larger ones.
const EXACT_BITS: u32 = 53;
/// Elements and characters below this number; the shortest texts of the wire take 32 bytes.
const LENGTH: u64 = 6;
