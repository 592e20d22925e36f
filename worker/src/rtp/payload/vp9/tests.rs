//! Descriptors as senders write them, cut off, and made of anything.

use super::*;
use crate::base::sequence::Serial7;
use proptest::prelude::*;

fn parse(payload: &[u8]) -> Descriptor {
    Descriptor::parse(payload).unwrap()
}

/// What a first byte of 0 and an empty payload would be.
const NOTHING: Descriptor = Descriptor {
    picture_id: None,
    inter_picture: false,
    flexible: false,
    start: false,
    end: false,
    not_for_upper_layers: false,
    layers: None,
    tl0_picture_index: None,
    reference_distances: [0; REFERENCES_MAX],
    structure: None,
    key_frame: false,
    header_len: 1,
};

#[test]
fn flexible_mode_has_references_and_no_base_layer_index() {
    let payload = [0xFD, 0xBD, 0x75, 0x52, 0x03, 0x05, 0x06, 0x87];
    assert_eq!(
        parse(&payload),
        Descriptor {
            picture_id: Some(PictureId::Long(Serial15::new(0x3D75))),
            inter_picture: true,
            flexible: true,
            start: true,
            end: true,
            not_for_upper_layers: true,
            layers: Some(Layers { temporal: 2, switching_up: true, spatial: 1, inter_layer: false }),
            reference_distances: [1, 2, 3],
            header_len: 7,
            ..NOTHING
        }
    );
}

#[test]
fn non_flexible_mode_has_a_base_layer_index_and_no_references() {
    let payload = [0xEC, 0x12, 0xE5, 0x77, 0x87];
    assert_eq!(
        parse(&payload),
        Descriptor {
            picture_id: Some(PictureId::Short(Serial7::new(0x12))),
            inter_picture: true,
            start: true,
            end: true,
            layers: Some(Layers { temporal: 7, switching_up: false, spatial: 2, inter_layer: true }),
            tl0_picture_index: Some(Serial8::new(0x77)),
            header_len: 4,
            ..NOTHING
        }
    );
}

#[test]
fn a_fourth_reference_is_refused() {
    assert_eq!(parse(&[0x50, 0x03, 0x05, 0x06]).reference_distances, [1, 2, 3]);
    assert_eq!(Descriptor::parse(&[0x50, 0x03, 0x05, 0x07, 0x08]), None);
}

#[test]
fn scalability_structure_names_sizes_and_the_picture_group() {
    // Two layers with sizes, and a group of two pictures, of which the second refers to two others.
    let payload =
        [0x8A, 0x05, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x00, 0x58, 0x01, 0x02, 0x82, 0x49, 0x83];
    let descriptor = parse(&payload);
    let structure = descriptor.structure.unwrap();
    assert_eq!((structure.spatial_layers, structure.has_sizes, structure.group_len), (2, true, 2));
    assert_eq!(structure.sizes(&payload).collect::<Vec<_>>(), [(320, 180), (640, 360)]);
    assert_eq!(
        structure.group(&payload).collect::<Vec<_>>(),
        [
            GroupPicture { temporal: 0, switching_up: false, reference_distances: [0; 3] },
            GroupPicture { temporal: 2, switching_up: true, reference_distances: [1, 2, 0] },
        ]
    );
    assert_eq!(descriptor.header_len, 16);
}

#[test]
fn structure_without_sizes_or_group_is_one_byte() {
    let payload = [0x02, 0xE0, 0x82];
    let structure = parse(&payload).structure.unwrap();
    assert_eq!((structure.spatial_layers, structure.has_sizes, structure.group_len), (8, false, 0));
    assert_eq!((structure.sizes(&payload).count(), structure.group(&payload).count()), (0, 0));
    assert_eq!(parse(&payload).header_len, 2);
}

#[test]
fn a_key_picture_starts_in_its_lowest_layer_with_b_and_without_p() {
    let key = |payload: &[u8]| parse(payload).key_frame;
    assert!(key(&[0x8C, 0x05, 0x82]), "no layers");
    assert!(key(&[0xB8, 0x05, 0x10]), "flexible, lowest layer");
    assert!(key(&[0xA8, 0x05, 0x10, 0x01]), "non-flexible, lowest layer");
    assert!(!key(&[0xC8, 0x05, 0x82]), "P");
    assert!(!key(&[0x84, 0x05, 0x82]), "not the frame's first packet");
    assert!(!key(&[0xB8, 0x05, 0x13]), "upper layer of a key picture");
    assert!(!key(&[0xB8, 0x05, 0x12]), "upper layer that does not need the lower one");
    assert!(!key(&[0xB8, 0x05, 0x11]), "lowest layer that claims to need a lower one");
}

#[test]
fn behind_a_bare_descriptor_the_frame_says_whether_it_is_a_key_frame() {
    let key = |payload: &[u8]| parse(payload).key_frame;
    assert!(key(&[0x08, 0x82, 0x49, 0x83, 0x42]), "profile 0, frame type 0, as ffmpeg sends it");
    assert!(!key(&[0x08, 0x86, 0x00, 0x40, 0x92]), "frame type 1");
    assert!(!key(&[0x08, 0x8A]), "repeats an earlier frame");
    assert!(key(&[0x08, 0xB0]) && !key(&[0x08, 0xB2]), "profile 3 has one bit more");
    assert!(!key(&[0x08, 0x42]), "no frame marker");
    assert!(!key(&[0x00, 0x82]), "not the frame's first packet");
    assert!(!key(&[0x08]), "no frame at all");
    assert!(key(&[0x88, 0x05, 0x86]), "with a picture id P is believed");
    assert!(key(&[0x28, 0x00, 0x01, 0x86]), "with layers P is believed");
    assert!(key(&[0x18, 0x86]), "in flexible mode P is believed");
}

#[test]
fn every_cut_inside_a_descriptor_is_refused() {
    let flexible = [0xFA, 0x92, 0x34, 0x56, 0x03, 0x02, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 1, 0x04, 0x01];
    let non_flexible = [0xEA, 0x92, 0x34, 0x56, 0x78, 0x08, 1, 0x0C, 1, 2, 3];
    for payload in [&flexible[..], &non_flexible] {
        assert_eq!(usize::from(parse(payload).header_len), payload.len());
        for len in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..len]), None, "{len} bytes");
        }
    }
}

#[test]
fn the_longest_descriptor_is_read() {
    let mut payload = vec![0xFA, 0x92, 0x34, 0x56, 0x03, 0x03, 0x02, 0xF8];
    payload.extend([0xFF; 32]);
    payload.push(255);
    payload.extend([0x0C, 1, 2, 3].repeat(255));
    assert_eq!(usize::from(parse(&payload).header_len), payload.len());
    assert_eq!(payload.len(), 1_061);
}

#[test]
fn rewriting_keeps_the_width_of_the_picture_id() {
    let mut short = [0xE8, 0x12, 0x00, 0x34, 0x86];
    let descriptor = parse(&short);
    assert!(rewrite(&mut short, &descriptor, Serial15::new(0x7FFE), Serial8::new(9)));
    assert_eq!(short, [0xE8, 0x7E, 0x00, 0x09, 0x86]);

    let mut long = [0xE8, 0x92, 0x34, 0x00, 0x56, 0x86];
    let descriptor = parse(&long);
    assert!(rewrite(&mut long, &descriptor, Serial15::new(0x7FFE), Serial8::new(9)));
    assert_eq!(long, [0xE8, 0xFF, 0xFE, 0x00, 0x09, 0x86]);
}

#[test]
fn a_payload_shorter_than_its_descriptor_is_not_rewritten() {
    let mut payload = [0xE8, 0x92, 0x34, 0x00, 0x56, 0x86];
    let descriptor = parse(&payload);
    let before = payload;
    assert!(!rewrite(&mut payload[..4], &descriptor, Serial15::new(1), Serial8::new(1)));
    assert_eq!(payload, before);
}

/// A descriptor's fields, from which both its bytes and what `parse` must say of them follow.
#[derive(Clone, Debug)]
struct Fields {
    first: u8,
    picture_id: u16,
    layers: u8,
    tl0_picture_index: u8,
    distances: Vec<u8>,
    sizes: Vec<(u16, u16)>,
    has_sizes: bool,
    group: Option<Vec<(u8, Vec<u8>)>>,
}

impl Fields {
    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        if self.first & HAS_PICTURE_ID != 0 {
            let [high, low] = self.picture_id.to_be_bytes();
            bytes.extend(if high & 0x80 == 0 { vec![high] } else { vec![high, low] });
        }
        if self.first & HAS_LAYERS != 0 {
            bytes.push(self.layers);
            if self.first & FLEXIBLE == 0 {
                bytes.push(self.tl0_picture_index);
            }
        }
        if self.first & FLEXIBLE != 0 && self.first & INTER_PICTURE != 0 {
            let last = self.distances.len() - 1;
            let each = self.distances.iter().enumerate();
            bytes.extend(each.map(|(index, distance)| distance << 1 | u8::from(index < last)));
        }
        if self.first & HAS_STRUCTURE != 0 {
            self.write_structure(&mut bytes);
        }
        bytes
    }

    fn write_structure(&self, bytes: &mut Vec<u8>) {
        let layers = u8::try_from(self.sizes.len()).unwrap();
        let group = self.group.as_ref();
        bytes.push((layers - 1) << 5 | u8::from(self.has_sizes) << 4 | u8::from(group.is_some()) << 3);
        if self.has_sizes {
            bytes.extend(self.sizes.iter().flat_map(|(w, h)| [w.to_be_bytes(), h.to_be_bytes()].concat()));
        }
        if let Some(group) = group {
            bytes.push(u8::try_from(group.len()).unwrap());
            for (picture, distances) in group {
                bytes.push(picture & 0xF0 | u8::try_from(distances.len()).unwrap() << 2);
                bytes.extend(distances);
            }
        }
    }
}

prop_compose! {
    fn fields()(
        first: u8,
        picture_id: u16,
        layers: u8,
        tl0_picture_index: u8,
        distances in proptest::collection::vec(0u8..128, 1..=3),
        sizes in proptest::collection::vec(any::<(u16, u16)>(), 1..=8),
        has_sizes: bool,
        group in proptest::option::of(proptest::collection::vec(
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=3)),
            0..=20,
        )),
    ) -> Fields {
        Fields { first, picture_id, layers, tl0_picture_index, distances, sizes, has_sizes, group }
    }
}

fn padded(distances: &[u8]) -> [u8; REFERENCES_MAX] {
    let mut padded = [0; REFERENCES_MAX];
    padded[..distances.len()].copy_from_slice(distances);
    padded
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(fields in fields(), frame in proptest::collection::vec(any::<u8>(), 0..4)) {
        let bytes = fields.write();
        let payload = [&bytes[..], &frame].concat();
        let read = Descriptor::parse(&payload).unwrap();
        let has = |flag| fields.first & flag != 0;
        prop_assert_eq!(usize::from(read.header_len), bytes.len());
        prop_assert_eq!(
            [read.inter_picture, read.flexible, read.start, read.end, read.not_for_upper_layers],
            [INTER_PICTURE, FLEXIBLE, START, END, NOT_FOR_UPPER_LAYERS].map(has)
        );
        let id = if fields.picture_id & 0x8000 == 0 {
            PictureId::Short(Serial7::new(fields.picture_id.to_be_bytes()[0]))
        } else {
            PictureId::Long(Serial15::new(fields.picture_id))
        };
        prop_assert_eq!(read.picture_id, has(HAS_PICTURE_ID).then_some(id));
        let layers = read.layers.map(|layers| {
            layers.temporal << 5
                | u8::from(layers.switching_up) << 4
                | layers.spatial << 1
                | u8::from(layers.inter_layer)
        });
        prop_assert_eq!(layers, has(HAS_LAYERS).then_some(fields.layers));
        let index = (has(HAS_LAYERS) && !has(FLEXIBLE)).then_some(Serial8::new(fields.tl0_picture_index));
        prop_assert_eq!(read.tl0_picture_index, index);
        if has(FLEXIBLE) && has(INTER_PICTURE) {
            prop_assert_eq!(read.reference_distances, padded(&fields.distances));
        }
        prop_assert_eq!(read.structure.is_some(), has(HAS_STRUCTURE));
        if let Some(structure) = read.structure {
            let sizes: Vec<_> = structure.sizes(&payload).collect();
            prop_assert_eq!(usize::from(structure.spatial_layers), fields.sizes.len());
            prop_assert_eq!(sizes, if fields.has_sizes { fields.sizes.clone() } else { Vec::new() });
            let expected = fields.group.iter().flatten().map(|(picture, distances)| GroupPicture {
                temporal: picture >> 5,
                switching_up: picture & 0x10 != 0,
                reference_distances: padded(distances),
            });
            prop_assert!(structure.group(&payload).eq(expected));
        }
        if read.key_frame {
            prop_assert!(read.start && !read.inter_picture && (!has(HAS_LAYERS) || fields.layers & 0x0F == 0));
        }
    }

    #[test]
    fn rewriting_changes_the_numbers_and_nothing_else(
        mut payload in proptest::collection::vec(any::<u8>(), 0..80),
        picture_id: u16,
        index: u8,
    ) {
        let Some(before) = Descriptor::parse(&payload) else { return Ok(()) };
        prop_assert!(usize::from(before.header_len) <= payload.len());
        let original = payload.clone();
        let (id, index) = (Serial15::new(picture_id), Serial8::new(index));
        prop_assert!(rewrite(&mut payload, &before, id, index));
        let after = Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(after, Descriptor {
            picture_id: before.picture_id.map(|was| match was {
                PictureId::Short(_) => PictureId::Short(Serial7::new(id.wire().to_be_bytes()[1])),
                PictureId::Long(_) => PictureId::Long(id),
            }),
            tl0_picture_index: before.tl0_picture_index.map(|_| index),
            ..before
        });
        let header_len = usize::from(before.header_len);
        prop_assert_eq!(&payload[header_len..], &original[header_len..]);
    }
}
