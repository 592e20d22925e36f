//! What the bytes of an RTP packet mean (RFC 3550 5.1, RFC 8285), for packets that no strict reader takes as well.
//!
//! `world::rtp` refuses whatever a worker must not send; a worker is more forgiving in what it takes. This reader says
//! exactly how forgiving. Written from the RFCs, slow and plain, with nothing of `tidegate_worker::rtp`.
//! Called by the properties of RTP. Invariant: every range lies inside the packet.

use std::ops::Range;

/// Where the parts of a packet lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) csrcs: Range<usize>,
    pub(super) payload: Range<usize>,
    pub(super) padding: usize,
    /// Id and place of each extension value, in order; ids may repeat.
    pub(super) elements: Vec<(u8, Range<usize>)>,
    pub(super) form: Form,
}

/// How extension elements are headed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// No block, or one of a profile that is nobody's.
    None,
    One,
    Two,
}

/// The layout of a whole packet, `None` when it is not one.
pub(super) fn layout(packet: &[u8]) -> Option<Layout> {
    let end = packet.len();
    if !(12..=65_535).contains(&end) || packet[0] & 0xC0 != 0x80 {
        return None;
    }
    let csrcs = 12..12 + 4 * usize::from(packet[0] % 16);
    let mut at = csrcs.end;
    let (mut form, mut elements) = (Form::None, Vec::new());
    if packet[0] & 0x10 != 0 {
        let head = packet.get(at..at + 4)?;
        let block = at + 4..at + 4 + 4 * (usize::from(head[2]) * 256 + usize::from(head[3]));
        packet.get(block.clone())?;
        at = block.end;
        (form, elements) = match (head[0], head[1]) {
            (0xBE, 0xDE) => (Form::One, one_byte(packet, block)),
            (0x10, 0x00..=0x0F) => (Form::Two, two_byte(packet, block)),
            _ => (Form::None, Vec::new()),
        };
    }
    if at > end {
        return None;
    }
    let padding = if packet[0] & 0x20 != 0 { usize::from(packet[end - 1]) } else { 0 };
    if packet[0] & 0x20 != 0 && (padding == 0 || at + padding > end) {
        return None;
    }
    Some(Layout { csrcs, payload: at..end - padding, padding, elements, form })
}

impl Layout {
    /// The value of an id: the last, when it comes again.
    pub(super) fn value<'p>(&self, id: u8, packet: &'p [u8]) -> Option<&'p [u8]> {
        self.elements.iter().rev().find(|(known, _)| *known == id).map(|(_, range)| &packet[range.clone()])
    }

    /// Ids and values in order.
    pub(super) fn values<'p>(&self, packet: &'p [u8]) -> Vec<(u8, &'p [u8])> {
        self.elements.iter().map(|(id, range)| (*id, &packet[range.clone()])).collect()
    }
}

/// RFC 8285 4.2. Ends at id 15, at id 0 with a length, and at a value that is cut off.
fn one_byte(packet: &[u8], mut block: Range<usize>) -> Vec<(u8, Range<usize>)> {
    let mut found = Vec::new();
    while !block.is_empty() {
        let head = packet[block.start];
        block.start += 1;
        if head == 0 {
            continue;
        }
        let value = block.start..block.start + usize::from(head % 16) + 1;
        if matches!(head / 16, 0 | 15) || value.end > block.end {
            break;
        }
        block.start = value.end;
        found.push((head / 16, value));
    }
    found
}

/// RFC 8285 4.3. Ends at an element that is cut off.
fn two_byte(packet: &[u8], mut block: Range<usize>) -> Vec<(u8, Range<usize>)> {
    let mut found = Vec::new();
    while !block.is_empty() {
        let id = packet[block.start];
        block.start += 1;
        if id == 0 {
            continue;
        }
        if block.is_empty() {
            break;
        }
        let value = block.start + 1..block.start + 1 + usize::from(packet[block.start]);
        if value.end > block.end {
            break;
        }
        block.start = value.end;
        found.push((id, value));
    }
    found
}
