//! The registry as a TypeScript module: a type, a reader and a writer for each container.
//!
//! How Rust's types look there:
//!
//! * structs are interfaces, fields in camel case; newtypes are their content;
//! * enums of names alone are unions of strings, all others unions of objects told apart by `type`, with their fields
//!   beside it or, where Rust has no names, in `value`;
//! * an `Option` is a field that may be `undefined`, bytes are a `Uint8Array`;
//! * 64-bit numbers are `number`: ids are counted by the host itself and counters would need 2^53 bytes or packets to lose
//!   precision (what is larger is rounded on reading, refused on writing). Where all 64 bits mean something
//!   ([`ALL_BITS`]) they are `bigint`.
//!
//! Knows formats. Does not know what the types mean; bincode's layout is the business of `bincode.ts`, which the module
//! imports. Invariant: what has no faithful form (an `Option` in an `Option`, maps, floats) is refused when it is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_reflection::{ContainerFormat, Format, Named, Registry, VariantFormat};
use tidegate_protocol::frame::FRAME_BYTES_MAX;
use tidegate_protocol::{PROTOCOL_VERSION, exit, launch};

/// Fields whose 64 bits are not a count: container, field.
const ALL_BITS: &[(&str, &str)] = &[("TraceInfo", "ntp")]; // An NTP timestamp.

/// The whole module.
///
/// # Errors
/// Names what has no form in TypeScript.
pub(crate) fn module(registry: &Registry) -> Result<String, String> {
    let mut out = constants();
    for (name, container) in registry {
        let written =
            Container { registry, name }.written(container).map_err(|what| format!("{name}: {what}"))?;
        out.push('\n');
        out.push_str(&written);
    }
    Ok(out)
}

fn constants() -> String {
    let (variable, value) = launch::ALLOCATOR_ENVIRONMENT;
    format!(
        "// Written by `cargo run -p tidegate-codegen` from the types in protocol/src. Do not edit: CI compares.
import type {{ Reader, Writer }} from './bincode';

/** Version of the wire; either side refuses another one. */
export const PROTOCOL_VERSION = {PROTOCOL_VERSION};
/** The most bytes that a frame's content may have. */
export const FRAME_BYTES_MAX = {FRAME_BYTES_MAX};
/** The worker's exit codes. */
export const EXIT = {{ closed: {}, badSettings: {}, brokenFraming: {}, badDescriptor: {}, internal: {} }} as const;
/** Name and value of a variable that a host puts into a worker's environment unless it is set already. */
export const ALLOCATOR_ENVIRONMENT = ['{variable}', '{value}'] as const;
",
        exit::CLOSED,
        exit::BAD_SETTINGS,
        exit::BROKEN_FRAMING,
        exit::BAD_DESCRIPTOR,
        exit::INTERNAL,
    )
}

/// One container on its way to text.
struct Container<'a> {
    registry: &'a Registry,
    name: &'a str,
}

/// The three forms of a place in which a value can be.
struct Place {
    /// Its type.
    ty: String,
    /// An expression that reads it from `r`.
    read: String,
    /// A statement that writes the expression it was made for into `w`.
    write: String,
}

impl Container<'_> {
    fn written(&self, container: &ContainerFormat) -> Result<String, String> {
        match container {
            ContainerFormat::NewTypeStruct(format) => {
                let place = self.place(format, "value", "", 0)?;
                self.functions(
                    &place.ty,
                    &format!("  return {};\n", place.read),
                    &format!("  {}\n", place.write),
                )
            }
            ContainerFormat::Struct(fields) => {
                let Fields { types, reads, writes } = self.fields(fields, "value", "  ")?;
                let interface = format!("export interface {} {{\n{types}}}\n", self.name);
                let read = format!("  return {{\n{reads}  }};\n");
                Ok(interface + &self.reader_and_writer(&read, &writes))
            }
            ContainerFormat::Enum(variants) if variants.values().all(|v| v.value == VariantFormat::Unit) => {
                Ok(self.names(variants))
            }
            ContainerFormat::Enum(variants) => self.union(variants),
            ContainerFormat::UnitStruct | ContainerFormat::TupleStruct(_) => {
                Err("unit and tuple structs are not used on the wire".to_owned())
            }
        }
    }

    fn functions(&self, ty: &str, read: &str, write: &str) -> Result<String, String> {
        Ok(format!("export type {} = {ty};\n", self.name) + &self.reader_and_writer(read, write))
    }

    fn reader_and_writer(&self, read: &str, write: &str) -> String {
        let name = self.name;
        format!(
            "export function read{name}(r: Reader): {name} {{\n{read}}}\n\
             export function write{name}(w: Writer, value: {name}): void {{\n{write}}}\n"
        )
    }

    /// A union of strings.
    fn names(&self, variants: &BTreeMap<u32, Named<VariantFormat>>) -> String {
        let name = self.name;
        let names: Vec<String> =
            variants.values().map(|variant| format!("'{}'", camel(&variant.name))).collect();
        let tags: Vec<String> =
            variants.iter().map(|(tag, variant)| format!("{}: {tag}", camel(&variant.name))).collect();
        format!(
            "const names{name} = [{}] as const;\nconst tags{name} = {{ {} }} as const;\n\
             export type {name} = (typeof names{name})[number];\n",
            names.join(", "),
            tags.join(", ")
        ) + &self.reader_and_writer(
            &format!("  return r.name('{name}', names{name});\n"),
            &format!("  w.u32(w.tag('{name}', tags{name}, value));\n"),
        )
    }

    /// A union of objects.
    fn union(&self, variants: &BTreeMap<u32, Named<VariantFormat>>) -> Result<String, String> {
        let name = self.name;
        let (mut types, mut reads, mut writes) = (String::new(), String::new(), String::new());
        for (tag, variant) in variants {
            let ty = camel(&variant.name);
            let parts = self.variant(&variant.value)?;
            let _ = write!(types, "\n  | {{ type: '{ty}'{} }}", parts.types);
            let _ = writeln!(reads, "    case {tag}:\n      return {{ type: '{ty}'{} }};", parts.reads);
            let _ = writeln!(writes, "    case '{ty}':\n      w.u32({tag});\n{}      return;", parts.writes);
        }
        Ok(format!("export type {name} ={types};\n")
            + &self.reader_and_writer(
                &format!(
                    "  const tag = r.u32();\n  switch (tag) {{\n{reads}    default:\n      \
                     return r.unknown('{name}', tag);\n  }}\n"
                ),
                &format!(
                    "  switch (value.type) {{\n{writes}    default:\n      w.unknown('{name}', value);\n  }}\n"
                ),
            ))
    }

    /// What a variant has beside its `type`.
    fn variant(&self, format: &VariantFormat) -> Result<Fields, String> {
        let fields = match format {
            VariantFormat::Unit => Vec::new(),
            VariantFormat::NewType(format) => {
                vec![Named { name: "value".to_owned(), value: (**format).clone() }]
            }
            VariantFormat::Tuple(formats) => {
                vec![Named { name: "value".to_owned(), value: Format::Tuple(formats.clone()) }]
            }
            VariantFormat::Struct(fields) => fields.clone(),
            VariantFormat::Variable(_) => return Err("a variant that reflection did not see".to_owned()),
        };
        let mut all = Fields::default();
        for field in &fields {
            let name = camel(&field.name);
            let place = self.place(&field.value, &format!("value.{name}"), &field.name, 0)?;
            let _ = write!(all.types, "; {name}: {}", place.ty);
            let _ = write!(all.reads, ", {name}: {}", place.read);
            let _ = writeln!(all.writes, "      {}", place.write);
        }
        Ok(all)
    }

    fn fields(&self, fields: &[Named<Format>], of: &str, indent: &str) -> Result<Fields, String> {
        let mut all = Fields::default();
        for field in fields {
            let name = camel(&field.name);
            let place = self.place(&field.value, &format!("{of}.{name}"), &field.name, 0)?;
            let _ = writeln!(all.types, "{indent}{name}: {};", place.ty);
            let _ = writeln!(all.reads, "{indent}  {name}: {},", place.read);
            let _ = writeln!(all.writes, "{indent}{}", place.write);
        }
        Ok(all)
    }

    /// The forms of a value of `format` that stands in the expression `of`, the field `field`, inside of `depth` lists
    /// and options.
    fn place(&self, format: &Format, of: &str, field: &str, depth: usize) -> Result<Place, String> {
        let simple = |ty: &str, method: &str| Place {
            ty: ty.to_owned(),
            read: format!("r.{method}()"),
            write: format!("w.{method}({of});"),
        };
        Ok(match format {
            Format::TypeName(name) => Place {
                ty: name.clone(),
                read: format!("read{name}(r)"),
                write: format!("write{name}(w, {of});"),
            },
            Format::Bool => simple("boolean", "bool"),
            Format::I8 => simple("number", "i8"),
            Format::I32 => simple("number", "i32"),
            Format::I64 => simple("number", "i64"),
            Format::U8 => simple("number", "u8"),
            Format::U16 => simple("number", "u16"),
            Format::U32 => simple("number", "u32"),
            Format::U64 if ALL_BITS.contains(&(self.name, field)) => simple("bigint", "bits64"),
            Format::U64 => simple("number", "u64"),
            Format::Str => simple("string", "text"),
            Format::Option(inner) => self.option(inner, of, field, depth)?,
            Format::Seq(inner) if **inner == Format::U8 => simple("Uint8Array", "bytes"),
            Format::Seq(inner) => self.list(inner, of, field, depth)?,
            Format::TupleArray { content, size } if **content == Format::U8 => Place {
                ty: "Uint8Array".to_owned(),
                read: format!("r.byteArray({size})"),
                write: format!("w.byteArray({of}, {size});"),
            },
            Format::Tuple(formats) => {
                let places: Vec<Place> = (0..)
                    .zip(formats)
                    .map(|(index, format)| self.place(format, &format!("{of}[{index}]"), field, depth))
                    .collect::<Result<_, _>>()?;
                let join = |part: fn(&Place) -> &str| places.iter().map(part).collect::<Vec<_>>();
                Place {
                    ty: format!("[{}]", join(|place| &place.ty).join(", ")),
                    read: format!("[{}]", join(|place| &place.read).join(", ")),
                    write: join(|place| &place.write).join(" "),
                }
            }
            other => return Err(format!("{field}: {other:?} has no form in TypeScript here")),
        })
    }

    fn option(&self, inner: &Format, of: &str, field: &str, depth: usize) -> Result<Place, String> {
        if self.is_option(inner) {
            return Err(format!("{field}: an Option in an Option; undefined cannot say which one is None"));
        }
        let item = format!("item{depth}");
        let inner = self.place(inner, &item, field, depth + 1)?;
        Ok(Place {
            ty: format!("{} | undefined", inner.ty),
            read: format!("r.option() ? {} : undefined", inner.read),
            write: format!(
                "{{ const {item} = {of}; w.option({item} !== undefined); if ({item} !== undefined) {{ {} }} }}",
                inner.write
            ),
        })
    }

    fn list(&self, inner: &Format, of: &str, field: &str, depth: usize) -> Result<Place, String> {
        let item = format!("item{depth}");
        let least = self.least_bytes(inner, 0)?;
        let place = self.place(inner, &item, field, depth + 1)?;
        let ty = if place.ty.contains(' ') { format!("({})[]", place.ty) } else { format!("{}[]", place.ty) };
        Ok(Place {
            ty,
            read: format!("r.list({least}, () => {})", place.read),
            write: format!("w.u64({of}.length); for (const {item} of {of}) {{ {} }}", place.write),
        })
    }

    /// Whether a value of this format may be nothing, by whatever name.
    fn is_option(&self, format: &Format) -> bool {
        match format {
            Format::Option(_) => true,
            Format::TypeName(name) => {
                matches!(self.registry.get(name), Some(ContainerFormat::NewTypeStruct(inner)) if self.is_option(inner))
            }
            _ => false,
        }
    }

    /// The fewest bytes that a value takes: a list that announces more than fit is refused before room is made.
    fn least_bytes(&self, format: &Format, depth: usize) -> Result<usize, String> {
        if depth > DEPTH_MAX {
            return Err("a type that contains itself".to_owned());
        }
        let sum = |formats: &mut dyn Iterator<Item = &Format>| {
            formats.map(|format| self.least_bytes(format, depth + 1)).sum::<Result<usize, String>>()
        };
        Ok(match format {
            Format::Bool | Format::U8 | Format::I8 | Format::Option(_) => 1,
            Format::U16 | Format::I16 => 2,
            Format::U32 | Format::I32 => 4,
            Format::U64 | Format::I64 | Format::Str | Format::Seq(_) => 8,
            Format::Tuple(formats) => sum(&mut formats.iter())?,
            Format::TupleArray { content, size } => self.least_bytes(content, depth + 1)? * size,
            Format::TypeName(name) => match self.registry.get(name) {
                Some(ContainerFormat::NewTypeStruct(inner)) => self.least_bytes(inner, depth + 1)?,
                Some(ContainerFormat::Struct(fields)) => sum(&mut fields.iter().map(|field| &field.value))?,
                // Its tag.
                Some(ContainerFormat::Enum(_)) => 4,
                other => return Err(format!("{other:?} in a list")),
            },
            other => return Err(format!("{other:?} in a list")),
        })
    }
}

/// The parts that all fields of a container have together.
#[derive(Default)]
struct Fields {
    types: String,
    reads: String,
    writes: String,
}

/// `snake_case` and `CamelCase` as `camelCase`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = String::new();
    if let Some(first) = words.next() {
        let mut characters = first.chars();
        camel.extend(characters.next().map(|c| c.to_ascii_lowercase()));
        camel.extend(characters);
    }
    for word in words {
        let mut characters = word.chars();
        match characters.next() {
            // `Sha1_80` and `Sha1_32` would run together.
            Some(digit) if digit.is_ascii_digit() => {
                camel.push('_');
                camel.push(digit);
            }
            first => camel.extend(first.map(|c| c.to_ascii_uppercase())),
        }
        camel.extend(characters);
    }
    camel
}

/// No type of the wire is nested deeper.
const DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> Result<String, String> {
        let field = Named { name: "a_field".to_owned(), value: format };
        module(&Registry::from([("Sample".to_owned(), ContainerFormat::Struct(vec![field]))]))
    }

    #[test]
    fn names_are_in_camel_case() {
        for (rust, typescript) in [
            ("log_level", "logLevel"),
            ("CloseWorker", "closeWorker"),
            ("HmacSha1_80", "hmacSha1_80"),
            ("a", "a"),
        ] {
            assert_eq!(camel(rust), typescript);
        }
    }

    #[test]
    fn what_has_no_faithful_form_is_refused() {
        let option = |inner| Format::Option(Box::new(inner));
        assert!(written(option(Format::U8)).is_ok());
        assert!(written(option(option(Format::U8))).unwrap_err().contains("an Option in an Option"));
        assert!(written(option(Format::Seq(Box::new(option(Format::Str))))).is_ok());
        assert!(written(Format::F64).unwrap_err().contains("F64"));
        let map = Format::Map { key: Box::new(Format::Str), value: Box::new(Format::U8) };
        assert!(written(map).unwrap_err().contains("Map"));
    }

    #[test]
    fn a_list_names_the_fewest_bytes_of_its_elements() {
        let pair = Format::Tuple(vec![Format::U32, Format::Str]);
        assert!(written(Format::Seq(Box::new(pair))).unwrap().contains("r.list(12, "));
        assert!(written(Format::Seq(Box::new(Format::U8))).unwrap().contains("r.bytes()"));
    }

    #[test]
    fn all_types_of_the_wire_have_a_form() {
        let module = module(&crate::registry::registry().unwrap()).unwrap();
        assert!(module.contains("export type ToWorker =") && module.contains("export type FromWorker ="));
        assert!(module.contains("ntp: bigint"));
    }
}
