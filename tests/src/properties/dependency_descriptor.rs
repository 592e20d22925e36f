//! The dependency descriptor against a reader of our own, which unfolds a value into plain lists (RTP Payload Format for
//! AV1, A.8).
//!
//! Knows the public face of `tidegate_worker::rtp::dependency_descriptor`. Called through [`super::ALL`].
//! Invariant: the property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::rtp::dependency_descriptor::{
    Change, Descriptor, Frame, Indication, Structure, set_frame_number, starts_key_frame, write,
};

/// Two values of one stream: what the first brings is known when the second is read. Five bytes of choices stand in
/// front: the length of the first, another frame number, and which decode targets to leave active.
pub fn dependency_descriptor(data: &[u8]) {
    let Some(([length, high, low, targets, choice], values)) = data.split_first_chunk::<5>() else { return };
    let (first, second) = values.split_at(usize::from(*length).min(values.len()));
    // No extension value is longer (RFC 8285 4.3).
    let second = &second[..second.len().min(255)];
    let change = Change {
        frame_number: Serial16::new(u16::from_be_bytes([*high, *low])),
        active_decode_targets: (choice % 2 == 1).then_some(u32::from(*targets) * 0x0101_0101),
    };
    let known = Structure::attached(first);
    let expected = attached(first);
    assert_eq!(known.is_some(), expected.is_some(), "a structure is there, or not");
    if let (Some(known), Some(expected)) = (&known, &expected) {
        assert_eq!(told_structure(known), Shape { hidden: None, ..expected.clone() });
    }
    assert_value(first, None, None, change);
    assert_value(second, known.as_ref(), expected.as_ref(), change);
}

fn assert_value(value: &[u8], known: Option<&Structure>, shape: Option<&Shape>, change: Change) {
    let starts = attached(value).is_some() && value[0] & 0x80 != 0;
    assert_eq!(starts_key_frame(value), starts);
    assert_number_set(value, change.frame_number);
    let parsed = Descriptor::parse(value, known);
    let Some(expected) = Value::read(value, shape) else {
        return assert_eq!(parsed, None, "a value that is cut off was taken");
    };
    let parsed = parsed.expect("a whole value was refused");
    assert_eq!((parsed.start_of_frame, parsed.end_of_frame), (expected.start, expected.end));
    assert_eq!((parsed.template_id, parsed.frame_number.wire()), (expected.template, expected.number));
    let has_structure = expected.attached.is_some();
    assert_eq!((parsed.has_structure, parsed.key_frame), (has_structure, starts));
    assert_eq!(parsed.frame.is_some(), expected.frame.is_some());
    let own = Structure::attached(value);
    if let (Some(frame), Some(wanted), Some(structure)) =
        (&parsed.frame, &expected.frame, own.as_ref().or(known))
    {
        assert_eq!(told_frame(frame, value, structure), *wanted);
        assert_written(value, structure, shape, &expected, change);
    }
}

/// A value written with a change says the same but for what was changed.
fn assert_written(
    value: &[u8],
    structure: &Structure,
    shape: Option<&Shape>,
    expected: &Value,
    change: Change,
) {
    let mut out = [0xA7; 300];
    let length = write(value, structure, change, &mut out).expect("a whole value");
    assert!(length <= value.len() + 5, "{length} bytes for {}", value.len());
    assert!(out[length..].iter().all(|byte| *byte == 0xA7), "written beyond the value");
    let mut wanted = expected.clone();
    wanted.number = change.frame_number.wire();
    if let (Some(active), Some(frame)) = (change.active_decode_targets, wanted.frame.as_mut()) {
        let targets = wanted.attached.as_ref().or(shape).map_or(0, |shape| shape.targets);
        frame.active = Some(active & (u32::MAX >> (32 - targets)));
    }
    assert_eq!(Value::read(&out[..length], shape).as_ref(), Some(&wanted));
    let mut short = vec![0; length - 1];
    assert_eq!(write(value, structure, change, &mut short), None, "there was no room");
}

fn assert_number_set(value: &[u8], number: Serial16) {
    let mut with_number = value.to_vec();
    let is_set = set_frame_number(&mut with_number, number);
    assert_eq!(is_set, value.len() >= 3);
    if is_set {
        assert_eq!(with_number[1..3], number.wire().to_be_bytes());
        with_number[1..3].copy_from_slice(&value[1..3]);
    }
    assert_eq!(with_number, value);
}

/// A template dependency structure, unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    targets: u32,
    chains: u8,
    /// Spatial and temporal id.
    layers: Vec<(u8, u8)>,
    protected_by: Vec<u8>,
    sizes: Vec<(u32, u32)>,
    /// What `tidegate_worker` shows by way of frames alone: id of template 0, and of each template what it is to each
    /// decode target, its references and its chains.
    hidden: Option<(u32, Vec<Template>)>,
}

/// What a template says of the frames that follow it.
type Template = (Vec<u32>, Vec<u32>, Vec<u32>);

/// A value, unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    start: bool,
    end: bool,
    template: u8,
    number: u16,
    attached: Option<Shape>,
    frame: Option<Unfolded>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unfolded {
    layers: (u8, u8),
    active: Option<u32>,
    told: Template,
}

impl Value {
    /// `None` when it is cut off.
    fn read(value: &[u8], known: Option<&Shape>) -> Option<Self> {
        let mut bits = Bits { bytes: value, at: 0 };
        let (start, end) = (bits.take(1)? == 1, bits.take(1)? == 1);
        let template = u8::try_from(bits.take(6)?).expect("six bits");
        let number = u16::try_from(bits.take(16)?).expect("sixteen bits");
        let mut flags = [false; 5];
        if value.len() > 3 {
            for flag in &mut flags {
                *flag = bits.take(1)? == 1;
            }
        }
        let attached = if flags[0] { Some(Shape::read(&mut bits)?) } else { None };
        let frame = match attached.as_ref().or(known) {
            Some(shape) => Unfolded::read(&mut bits, shape, template, flags)?,
            None => None,
        };
        Some(Self { start, end, template, number, attached, frame })
    }
}

impl Unfolded {
    /// `Some(None)` when the structure has no such template.
    fn read(bits: &mut Bits<'_>, shape: &Shape, template: u8, flags: [bool; 5]) -> Option<Option<Self>> {
        let (offset, templates) = shape.hidden.as_ref().expect("read, not told");
        let index = (usize::from(template) + 64 - *offset as usize) % 64;
        let Some((mut indications, mut references, mut chains)) = templates.get(index).cloned() else {
            return Some(None);
        };
        let [has_structure, has_active, own_indications, own_references, own_chains] = flags;
        let mut active = has_structure.then_some(u32::MAX >> (32 - shape.targets));
        if has_active {
            active = Some(bits.take(shape.targets)?);
        }
        if own_indications {
            indications = (0..shape.targets).map(|_| bits.take(2)).collect::<Option<_>>()?;
        }
        if own_references {
            references.clear();
            loop {
                match bits.take(2)? {
                    0 => break,
                    size => references.push(bits.take(4 * size)? + 1),
                }
            }
        }
        if own_chains {
            chains = (0..shape.chains).map(|_| bits.take(8)).collect::<Option<_>>()?;
        }
        let told = (indications, references, chains);
        Some(Some(Self { layers: shape.layers[index], active, told }))
    }
}

/// The structure in a value.
fn attached(value: &[u8]) -> Option<Shape> {
    let mut bits = Bits { bytes: value, at: 24 };
    if bits.take(5)? < 16 {
        return None;
    }
    Shape::read(&mut bits)
}

impl Shape {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = bits.take(6)?;
        let targets = bits.take(5)? + 1;
        let (mut layers, mut spatial, mut temporal) = (Vec::new(), 0, 0);
        loop {
            if layers.len() == 64 || spatial > 3 || temporal > 7 {
                return None;
            }
            layers.push((spatial, temporal));
            match bits.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
        }
        let mut templates: Vec<Template> = Vec::new();
        for _ in &layers {
            let indications = (0..targets).map(|_| bits.take(2)).collect::<Option<_>>()?;
            templates.push((indications, Vec::new(), Vec::new()));
        }
        for template in &mut templates {
            while bits.take(1)? == 1 {
                template.1.push(bits.take(4)? + 1);
            }
        }
        let chains = u8::try_from(bits.non_symmetric(targets + 1)?).expect("at most 32");
        let mut protected_by = Vec::new();
        if chains > 0 {
            for _ in 0..targets {
                protected_by.push(u8::try_from(bits.non_symmetric(chains.into())?).expect("below 32"));
            }
            for template in &mut templates {
                template.2 = (0..chains).map(|_| bits.take(4)).collect::<Option<_>>()?;
            }
        }
        let mut sizes = Vec::new();
        if bits.take(1)? == 1 {
            for _ in 0..=spatial {
                sizes.push((bits.take(16)? + 1, bits.take(16)? + 1));
            }
        }
        Some(Self { targets, chains, layers, protected_by, sizes, hidden: Some((offset, templates)) })
    }
}

/// What the worker read, in the words of [`Shape`].
fn told_structure(structure: &Structure) -> Shape {
    let targets = structure.decode_targets();
    let layers: Vec<_> = structure.layers().map(|layers| (layers.spatial, layers.temporal)).collect();
    assert_eq!(layers.len(), usize::from(structure.templates()));
    assert_eq!(structure.protecting_chain(targets), None);
    Shape {
        targets: targets.into(),
        chains: structure.chains(),
        layers,
        protected_by: (0..targets).filter_map(|target| structure.protecting_chain(target)).collect(),
        sizes: structure.sizes().collect(),
        hidden: None,
    }
}

fn told_frame(frame: &Frame, value: &[u8], structure: &Structure) -> Unfolded {
    let indication = |indication| match indication {
        Indication::NotPresent => 0,
        Indication::Discardable => 1,
        Indication::Switch => 2,
        Indication::Required => 3,
    };
    Unfolded {
        layers: (frame.layers.spatial, frame.layers.temporal),
        active: frame.active_decode_targets,
        told: (
            frame.indications(value, structure).map(indication).collect(),
            frame.references(value, structure).map(u32::from).collect(),
            frame.chains(value, structure).map(u32::from).collect(),
        ),
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..count {
            let byte = u32::from(*self.bytes.get(self.at / 8)?);
            number = number * 2 + (byte >> (7 - self.at % 8)) % 2;
            self.at += 1;
        }
        Some(number)
    }

    /// A.8.2, ns(n).
    fn non_symmetric(&mut self, values: u32) -> Option<u32> {
        let bits = values.ilog2() + 1;
        let short = (1 << bits) - values;
        let number = self.take(bits - 1)?;
        if number < short { Some(number) } else { Some(number * 2 + self.take(1)? - short) }
    }
}
