//! Values of header extensions that the worker reads or changes: against readers of our own, and what is changed alone is
//! changed.
//!
//! Knows the public face of `tidegate_worker::rtp`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::rtp::Header;
use tidegate_worker::rtp::values::{CAPTURE_TIME_BYTES, Orientation, has_capture_clock, shift_capture_clock};

/// The bytes as a value, and as a block of header extensions whose values are shortened one by one.
pub fn rtp_values(data: &[u8]) {
    orientation(data);
    capture_clock(data);
    let packet = super::rtp::packet_with_block(data);
    let header = Header::parse(&packet).expect("a block of whole words is well formed");
    for (id, _) in header.extensions.iter(&packet) {
        for bytes in [1, CAPTURE_TIME_BYTES] {
            shortened(&header, id, &packet, bytes);
        }
    }
}

/// 3GPP TS 26.114 7.4.5.
fn orientation(value: &[u8]) {
    let read = Orientation::read(value);
    assert_eq!(read.is_some(), value.len() == 1);
    if let (Some(read), [byte]) = (read, value) {
        let rotations = [0, 90, 180, 270];
        let expected = (byte & 8 == 8, byte & 4 == 4, rotations[usize::from(byte % 4)]);
        assert_eq!((read.is_back_camera(), read.is_flipped(), read.rotation()), expected);
    }
}

/// The first eight bytes are what is added, the others a capture time.
fn capture_clock(data: &[u8]) {
    let Some((by, value)) = data.split_first_chunk::<8>() else { return };
    let by = i64::from_be_bytes(*by);
    let mut shifted = value.to_vec();
    shift_capture_clock(&mut shifted, by);
    assert_eq!(has_capture_clock(value), value.len() == 16);
    if !has_capture_clock(value) {
        return assert_eq!(shifted, value, "changed although it has no clock");
    }
    assert_eq!(shifted[..8], value[..8], "the time itself was changed");
    shift_capture_clock(&mut shifted, by.wrapping_neg());
    assert_eq!(shifted, value);
}

fn shortened(header: &Header, id: tidegate_worker::rtp::ExtensionId, packet: &[u8], bytes: u8) {
    let before: Vec<_> = header.extensions.iter(packet).collect();
    let at = before.iter().rposition(|(found, _)| *found == id).expect("it was found");
    let mut changed = packet.to_vec();
    let is_shorter = header.extensions.shorten(id, &mut changed, bytes);
    assert_eq!(is_shorter, before[at].1.len() > usize::from(bytes));
    let mut expected = before;
    expected[at].1 = &expected[at].1[..expected[at].1.len().min(bytes.into())];
    assert_eq!(header.extensions.get(id, &changed), Some(expected[at].1));
    let anew = Header::parse(&changed).expect("it is as well formed as before");
    for header in [header, &anew] {
        assert_eq!(header.extensions.iter(&changed).collect::<Vec<_>>(), expected);
    }
    assert_eq!(anew.payload(&changed), header.payload(packet), "the payload was changed");
    if let Some(value) = header.extensions.get_mut(id, &mut changed) {
        value.fill(0xFF);
    }
    assert_eq!(header.extensions.get(id, &changed), Some(&vec![0xFF; expected[at].1.len()][..]));
}
