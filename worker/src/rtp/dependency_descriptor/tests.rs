//! Values as senders write them, the specification's examples, cut off values, and anything at all.

use super::*;
use proptest::prelude::*;

/// A structure's content, from which its bits follow by an encoder of its own.
#[derive(Clone, Debug)]
struct Model {
    id_offset: u8,
    decode_targets: u8,
    chains: u8,
    /// By decode target.
    protection: Vec<u8>,
    templates: Vec<Template>,
    sizes: Option<Vec<(u16, u16)>>,
}

#[derive(Clone, Debug, Default)]
struct Template {
    spatial: u8,
    temporal: u8,
    dtis: Vec<u8>,
    /// 1..=16 each.
    fdiffs: Vec<u8>,
    chains: Vec<u8>,
}

/// One frame: the template by its index, and what it has of its own.
#[derive(Clone, Debug, Default)]
struct Own {
    start: bool,
    end: bool,
    template: u8,
    number: u16,
    active: Option<u32>,
    dtis: Option<Vec<u8>>,
    fdiffs: Option<Vec<u16>>,
    chains: Option<Vec<u8>>,
}

/// Bits one by one: slow, plain, and nothing of the code under test.
#[derive(Default)]
struct Encoder(Vec<bool>);

impl Encoder {
    fn f(&mut self, count: usize, number: u32) {
        self.0.extend((0..count).rev().map(|bit| number >> bit & 1 == 1));
    }

    /// ns(values), by the table that the formula means: the first `short` numbers have a bit less.
    fn ns(&mut self, values: u8, number: u8) {
        let (values, number) = (u32::from(values), u32::from(number));
        let bits: usize = (1..).find(|bits| 1u32 << bits > values).unwrap();
        let short = (1 << bits) - values;
        if number < short { self.f(bits - 1, number) } else { self.f(bits, number + short) }
    }

    fn bytes(&self) -> Vec<u8> {
        let byte =
            |bits: &[bool]| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(bits.get(bit) == Some(&true)));
        self.0.chunks(8).map(byte).collect()
    }
}

impl Model {
    fn encode(&self, bits: &mut Encoder) {
        bits.f(6, self.id_offset.into());
        bits.f(5, u32::from(self.decode_targets) - 1);
        for pair in self.templates.windows(2) {
            let same = (pair[1].spatial == pair[0].spatial, pair[1].temporal == pair[0].temporal);
            bits.f(
                2,
                match same {
                    (true, true) => 0,
                    (true, false) => 1,
                    _ => 2,
                },
            );
        }
        bits.f(2, 3);
        for dti in self.templates.iter().flat_map(|template| &template.dtis) {
            bits.f(2, (*dti).into());
        }
        for template in &self.templates {
            for fdiff in &template.fdiffs {
                bits.f(1, 1);
                bits.f(4, u32::from(*fdiff) - 1);
            }
            bits.f(1, 0);
        }
        bits.ns(self.decode_targets + 1, self.chains);
        if self.chains > 0 {
            self.protection.iter().for_each(|chain| bits.ns(self.chains, *chain));
        }
        for chain in self.templates.iter().flat_map(|template| &template.chains) {
            bits.f(4, (*chain).into());
        }
        bits.f(1, self.sizes.is_some().into());
        for (width, height) in self.sizes.iter().flatten() {
            bits.f(16, (*width).into());
            bits.f(16, (*height).into());
        }
    }

    /// The value of a frame, with the structure or for a receiver that has it.
    fn value(&self, own: &Own, with_structure: bool) -> Vec<u8> {
        let mut bits = Encoder::default();
        bits.f(1, own.start.into());
        bits.f(1, own.end.into());
        bits.f(6, u32::from((self.id_offset + own.template) % 64));
        bits.f(16, own.number.into());
        let has = [own.active.is_some(), own.dtis.is_some(), own.fdiffs.is_some(), own.chains.is_some()];
        if with_structure || has.contains(&true) {
            bits.f(1, with_structure.into());
            has.iter().for_each(|has| bits.f(1, (*has).into()));
        }
        if with_structure {
            self.encode(&mut bits);
        }
        if let Some(active) = own.active {
            bits.f(self.decode_targets.into(), active);
        }
        own.dtis.iter().flatten().for_each(|dti| bits.f(2, (*dti).into()));
        if let Some(fdiffs) = &own.fdiffs {
            for fdiff in fdiffs {
                let size = (1..=3).find(|size| u32::from(*fdiff) - 1 < 1 << (4 * size)).unwrap();
                bits.f(2, size);
                bits.f(4 * usize::try_from(size).unwrap(), u32::from(*fdiff) - 1);
            }
            bits.f(2, 0);
        }
        own.chains.iter().flatten().for_each(|chain| bits.f(8, (*chain).into()));
        bits.bytes()
    }

    fn structure(&self) -> Structure {
        Structure::attached(&self.value(&Own::default(), true)).unwrap()
    }

    fn template(&self, own: &Own) -> &Template {
        &self.templates[usize::from(own.template)]
    }
}

fn digits(text: &str) -> Vec<u8> {
    text.chars().map(|symbol| "-DSR".find(symbol).unwrap().try_into().unwrap()).collect()
}

fn template(spatial: u8, temporal: u8, fdiffs: &[u8], chains: &[u8], dtis: &str) -> Template {
    Template { spatial, temporal, fdiffs: fdiffs.to_vec(), chains: chains.to_vec(), dtis: digits(dtis) }
}

/// The example L1T3: one spatial layer, three temporal ones.
fn l1t3() -> Model {
    Model {
        id_offset: 60,
        decode_targets: 3,
        chains: 1,
        protection: vec![0, 0, 0],
        templates: vec![
            template(0, 0, &[], &[0], "SSS"),
            template(0, 0, &[4], &[4], "SSS"),
            template(0, 1, &[2], &[2], "SD-"),
            template(0, 2, &[1], &[1], "D--"),
            template(0, 2, &[1], &[3], "D--"),
        ],
        sizes: None,
    }
}

/// The example L2T1: two spatial layers, which may be switched occasionally.
fn l2t1() -> Model {
    Model {
        id_offset: 0,
        decode_targets: 2,
        chains: 2,
        protection: vec![1, 0],
        templates: vec![
            template(0, 0, &[], &[0, 0], "SS"),
            template(0, 0, &[2], &[2, 1], "RS"),
            template(0, 0, &[2], &[2, 1], "SS"),
            template(1, 0, &[1], &[1, 1], "S-"),
            template(1, 0, &[2, 1], &[1, 1], "R-"),
        ],
        sizes: Some(vec![(639, 359), (1_279, 65_535)]),
    }
}

fn assert_frame(model: &Model, own: &Own, value: &[u8], known: Option<&Structure>) {
    let read = Descriptor::parse(value, known).unwrap();
    assert_eq!((read.start_of_frame, read.end_of_frame), (own.start, own.end));
    assert_eq!(read.frame_number, Serial16::new(own.number));
    assert_eq!(read.key_frame, own.start && read.has_structure);
    let (frame, structure) = (read.frame.unwrap(), model.structure());
    let template = model.template(own);
    assert_eq!(frame.layers, Layers { spatial: template.spatial, temporal: template.temporal });
    let dtis: Vec<u8> = frame.indications(value, &structure).map(|dti| dti as u8).collect();
    assert_eq!(&dtis, own.dtis.as_ref().unwrap_or(&template.dtis));
    let fdiffs: Vec<u16> = frame.references(value, &structure).collect();
    let of_template = template.fdiffs.iter().map(|fdiff| u16::from(*fdiff)).collect();
    assert_eq!(&fdiffs, own.fdiffs.as_ref().unwrap_or(&of_template));
    let chains: Vec<u8> = frame.chains(value, &structure).collect();
    assert_eq!(&chains, own.chains.as_ref().unwrap_or(&template.chains));
    let all = u32::MAX >> (32 - u32::from(model.decode_targets));
    assert_eq!(frame.active_decode_targets, own.active.or_else(|| read.has_structure.then_some(all)));
    assert_eq!(usize::from(frame.custom.end.div_ceil(8)), value.len(), "the value is read to its end");
}

#[test]
fn frames_of_the_specifications_examples_follow_their_templates() {
    for model in [l1t3(), l2t1()] {
        let structure = model.structure();
        for template in 0..structure.templates() {
            let own = Own { start: true, template, number: 7, ..Own::default() };
            assert_frame(&model, &own, &model.value(&own, false), Some(&structure));
            assert_frame(&model, &own, &model.value(&own, true), None);
        }
    }
}

#[test]
fn structure_knows_its_tables() {
    let structure = l2t1().structure();
    assert_eq!((structure.templates(), structure.decode_targets(), structure.chains()), (5, 2, 2));
    assert_eq!(structure.sizes().collect::<Vec<_>>(), [(640, 360), (1_280, 65_536)]);
    assert_eq!(
        (0..3).map(|target| structure.protecting_chain(target)).collect::<Vec<_>>(),
        [Some(1), Some(0), None]
    );
    assert_eq!(structure.target_layers(0), Layers { spatial: 1, temporal: 0 });
    assert_eq!(structure.targets_within(Layers { spatial: 0, temporal: 7 }), 0b10);
    let temporal = l1t3().structure();
    assert_eq!((0..3).map(|target| temporal.target_layers(target).temporal).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(temporal.targets_within(Layers { spatial: 3, temporal: 1 }), 0b110);
    assert_eq!(temporal.sizes().count(), 0);
    let unprotected = Model { chains: 0, protection: vec![], ..l2t1() };
    let templates =
        unprotected.templates.iter().map(|template| Template { chains: vec![], ..template.clone() });
    let unprotected = Model { templates: templates.collect(), ..unprotected.clone() };
    assert_eq!(unprotected.structure().protecting_chain(0), None);
}

#[test]
fn without_its_structure_only_the_mandatory_fields_are_known() {
    let model = l1t3();
    let own = Own { start: true, template: 4, number: 0xFFFF, active: Some(1), ..Own::default() };
    let value = model.value(&own, false);
    let read = Descriptor::parse(&value, None).unwrap();
    assert_eq!((read.frame, read.template_id, read.frame_number.wire()), (None, 0, 0xFFFF));
    let other = l2t1().structure();
    let unknown = model.value(&Own { template: 1, ..own }, false);
    let read = Descriptor::parse(&unknown, Some(&other)).unwrap();
    assert_eq!((read.frame, read.template_id), (None, 61), "the id of another structure's template");
}

#[test]
fn key_frame_starts_with_the_packet_that_brings_a_structure() {
    let model = l1t3();
    let starts = |start, with| starts_key_frame(&model.value(&Own { start, ..Own::default() }, with));
    assert!(starts(true, true));
    assert!(!starts(true, false) && !starts(false, true));
    let value = model.value(&Own { start: true, ..Own::default() }, true);
    assert!(!starts_key_frame(&value[..value.len() - 2]), "a structure that is cut off");
    assert!(!starts_key_frame(&[]));
}

#[test]
fn bits_behind_the_flags_are_a_structure_only_if_the_flag_says_so() {
    let own = Own { start: true, ..Own::default() };
    let mut value = l1t3().value(&own, true);
    assert!(Structure::attached(&value).is_some() && starts_key_frame(&value));
    value[MANDATORY_BYTES] &= !HAS_STRUCTURE;
    assert!(Structure::attached(&value).is_none() && !starts_key_frame(&value));
}

#[test]
fn every_cut_of_a_value_is_refused_but_the_one_behind_the_mandatory_fields() {
    let own = Own {
        start: true,
        active: Some(2),
        dtis: Some(vec![3, 1]),
        fdiffs: Some(vec![1, 300, 4_096]),
        chains: Some(vec![200, 0]),
        ..Own::default()
    };
    let model = l2t1();
    let structure = model.structure();
    for with_structure in [true, false] {
        let value = model.value(&own, with_structure);
        assert_frame(&model, &own, &value, Some(&structure));
        for len in (0..value.len()).filter(|len| *len != MANDATORY_BYTES) {
            assert_eq!(Descriptor::parse(&value[..len], Some(&structure)), None, "{len} of {}", value.len());
        }
    }
}

#[test]
fn structures_beyond_the_limits_are_refused() {
    let tower = |layers: &[(u8, u8)]| {
        let each = layers.iter().map(|(spatial, temporal)| template(*spatial, *temporal, &[], &[0], "SSS"));
        let model = Model { templates: each.collect(), ..l1t3() };
        Structure::attached(&model.value(&Own::default(), true)).map(|structure| structure.templates())
    };
    assert_eq!(tower(&[(0, 0); 64]), Some(64));
    assert_eq!(tower(&[(0, 0); 65]), None);
    let temporal: Vec<_> = (0..9).map(|temporal| (0, temporal)).collect();
    assert_eq!((tower(&temporal[..8]), tower(&temporal)), (Some(8), None));
    let spatial: Vec<_> = (0..5).map(|spatial| (spatial, 0)).collect();
    assert_eq!((tower(&spatial[..4]), tower(&spatial)), (Some(4), None));
    let mut long = l1t3().value(&Own::default(), true);
    long.resize(256, 0);
    assert_eq!(Structure::attached(&long), None, "no extension value is that long");
    assert!(Structure::attached(&long[..255]).is_some());
}

#[test]
fn frame_number_is_put_in_place() {
    let mut value = [0x80, 1, 2, 0x40];
    assert!(set_frame_number(&mut value, Serial16::new(0xABCD)));
    assert_eq!(value, [0x80, 0xAB, 0xCD, 0x40]);
    assert!(!set_frame_number(&mut value[..2], Serial16::new(0)));
}

#[test]
fn bitmask_is_added_where_there_was_none() {
    let model = l1t3();
    let structure = model.structure();
    let mut out = [0; 255];
    let change = Change { frame_number: Serial16::new(9), active_decode_targets: Some(0b110) };
    for with_structure in [false, true] {
        let own = Own { start: true, template: 2, number: 9, ..Own::default() };
        let len = write(&model.value(&own, with_structure), &structure, change, &mut out).unwrap();
        let expected = Own { active: Some(0b110), ..own };
        assert_eq!(out[..len], model.value(&expected, with_structure));
    }
    assert_eq!(write(&[0x81, 0, 1], &structure, change, &mut out), None, "another structure's template");
    let value = model.value(&Own::default(), true);
    assert_eq!(write(&value, &structure, change, &mut out[..value.len() - 1]), None, "no room");
}

fn models() -> impl Strategy<Value = Model> {
    let counts = (1u8..=32, 0u8..=32, 1usize..=20, any::<bool>());
    counts.prop_flat_map(|(decode_targets, chains, templates, has_sizes)| {
        let chains = chains.min(decode_targets);
        let of = |max: u8, count: u8| proptest::collection::vec(0..=max, usize::from(count));
        let template =
            (0u8..3, of(3, decode_targets), proptest::collection::vec(1u8..=16, 0..3), of(15, chains));
        (
            0u8..64,
            of(chains.saturating_sub(1), decode_targets),
            proptest::collection::vec(template, templates),
            proptest::collection::vec(any::<(u16, u16)>(), 4),
        )
            .prop_map(move |(id_offset, protection, steps, sizes)| {
                let mut templates: Vec<Template> = Vec::new();
                for (step, dtis, fdiffs, chains) in steps {
                    let (mut spatial, mut temporal) =
                        templates.last().map_or((0, 0), |last| (last.spatial, last.temporal));
                    match step {
                        1 if temporal < 7 => temporal += 1,
                        2 if spatial < 3 => (spatial, temporal) = (spatial + 1, 0),
                        _ => {}
                    }
                    templates.push(Template { spatial, temporal, dtis, fdiffs, chains });
                }
                // The first template has the lowest layers.
                let first = (templates[0].spatial, templates[0].temporal);
                for template in &mut templates {
                    if template.spatial == first.0 {
                        template.temporal -= first.1;
                    }
                    template.spatial -= first.0;
                }
                let layers = usize::from(templates.last().unwrap().spatial) + 1;
                let sizes = has_sizes.then(|| sizes[..layers].to_vec());
                Model { id_offset, decode_targets, chains, protection, templates, sizes }
            })
    })
}

fn frames(model: Model) -> impl Strategy<Value = (Model, Own)> {
    let of =
        |max: u8, count: u8| proptest::option::of(proptest::collection::vec(0..=max, usize::from(count)));
    let count = u8::try_from(model.templates.len()).unwrap();
    let all = u32::MAX >> (32 - u32::from(model.decode_targets));
    let own = (
        any::<(bool, bool, u16)>(),
        0..count,
        proptest::option::of(0..=all),
        of(3, model.decode_targets),
        proptest::option::of(proptest::collection::vec(1u16..=4_096, 0..5)),
        of(255, model.chains),
    );
    own.prop_map(move |((start, end, number), template, active, dtis, fdiffs, chains)| {
        (model.clone(), Own { start, end, template, number, active, dtis, fdiffs, chains })
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_again((model, own) in models().prop_flat_map(frames), with_structure: bool) {
        let value = model.value(&own, with_structure);
        // What does not fit an extension value is nobody's.
        if model.value(&own, true).len() > 255 {
            return Ok(());
        }
        let structure = model.structure();
        prop_assert_eq!(usize::from(structure.templates()), model.templates.len());
        assert_frame(&model, &own, &value, (!with_structure).then_some(&structure));
        let sizes = model.sizes.iter().flatten().map(|(w, h)| (u32::from(*w) + 1, u32::from(*h) + 1));
        prop_assert!(structure.sizes().eq(sizes));
        for (target, chain) in (0..).zip(&model.protection) {
            prop_assert_eq!(structure.protecting_chain(target), Some(*chain).filter(|_| model.chains > 0));
        }
    }

    #[test]
    fn rewriting_changes_what_it_should_and_nothing_else(
        (model, own) in models().prop_flat_map(frames),
        with_structure: bool,
        number: u16,
        active: Option<u32>,
    ) {
        let value = model.value(&own, with_structure);
        if model.value(&own, true).len() > 250 {
            return Ok(());
        }
        let structure = model.structure();
        let mut out = [0xEE; 255];
        let same = Change { frame_number: Serial16::new(own.number), active_decode_targets: None };
        let len = write(&value, &structure, same, &mut out).unwrap();
        prop_assert_eq!(&out[..len], &value[..]);
        let change = Change { frame_number: Serial16::new(number), active_decode_targets: active };
        let len = write(&value, &structure, change, &mut out).unwrap();
        let all = u32::MAX >> (32 - u32::from(model.decode_targets));
        let active = active.map(|active| active & all).or(own.active);
        let changed = Own { number, active, ..own };
        prop_assert_eq!(&out[..len], model.value(&changed, with_structure));
        prop_assert!(len <= value.len() + 5);
    }

    #[test]
    fn anything_is_read_within_its_bytes(
        value in proptest::collection::vec(any::<u8>(), 0..300),
        other in proptest::collection::vec(any::<u8>(), 0..300),
        model in models(),
    ) {
        let known = Structure::attached(&value).or_else(|| Structure::attached(&model.value(&Own::default(), true)));
        starts_key_frame(&value);
        if let (Some(read), Some(structure)) = (Descriptor::parse(&value, known.as_ref()), known) {
            if let Some(frame) = read.frame {
                prop_assert!(usize::from(frame.custom.end) <= 8 * value.len());
                for bytes in [&value, &other] {
                    frame.indications(bytes, &structure).count();
                    frame.references(bytes, &structure).count();
                    frame.chains(bytes, &structure).count();
                }
            }
            let change = Change { frame_number: read.frame_number, active_decode_targets: Some(1) };
            let mut out = [0; 310];
            prop_assert_eq!(write(&value, &structure, change, &mut out).is_some(), read.frame.is_some());
        }
    }
}
