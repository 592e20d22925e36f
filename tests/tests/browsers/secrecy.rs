//! Whether media on the wire is sealed (RFC 3711).
//!
//! In clear, the first byte of a payload is a codec's descriptor (RFC 7741 section 4.2, RFC 6184, RFC 6716 section 3.1),
//! which takes a few values; sealed, it takes all alike. And VP8's key frames begin with three bytes that stand
//! there and are followed by the picture's size (RFC 6386 section 9.1).
//! Knows RTP's header. Does not know who sent.

use std::collections::BTreeMap;
use std::fmt;

use libtest_mimic::Failed;

use crate::judge::ensure;

/// What passed.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    datagrams: u64,
    /// How often each value was the first of a payload, by synchronization source.
    first_bytes: BTreeMap<u32, Box<FirstBytes>>,
    clear_key_frames: u64,
}

#[derive(Debug)]
struct FirstBytes([u32; 256]);

impl FirstBytes {
    fn packets(&self) -> u32 {
        self.0.iter().sum()
    }

    /// How often the most frequent value came.
    fn most(&self) -> u32 {
        self.0.iter().copied().max().unwrap_or_default()
    }
}

impl Wire {
    /// Looks at a datagram.
    pub(crate) fn saw(&mut self, datagram: &[u8]) {
        self.datagrams += 1;
        let Some((ssrc, payload)) = rtp(datagram) else { return };
        let Some(first) = payload.first() else { return };
        let first_bytes = self.first_bytes.entry(ssrc).or_insert_with(|| Box::new(FirstBytes([0; 256])));
        if let Some(count) = first_bytes.0.get_mut(usize::from(*first)) {
            *count += 1;
        }
        self.clear_key_frames += u64::from(begins_a_key_frame(payload));
    }

    /// Nothing that was seen is in clear, and enough was seen to say so.
    pub(crate) fn is_sealed(&self) -> Result<(), Failed> {
        let judged = self.judged();
        ensure(judged.len() >= STREAMS_MIN, || {
            format!("too little passed to judge whether it is sealed: {self}")
        })?;
        ensure(self.clear_key_frames == 0, || format!("key frames of VP8 passed in clear: {self}"))?;
        let clear = judged.iter().find(|(_, bytes)| bytes.most() * FREQUENT_PART > bytes.packets());
        clear.map_or(Ok(()), |(ssrc, bytes)| {
            let (most, packets) = (bytes.most(), bytes.packets());
            Err(format!("{most} of {packets} payloads of stream {ssrc} begin alike: they are in clear")
                .into())
        })
    }

    /// The streams that are long enough.
    fn judged(&self) -> Vec<(&u32, &FirstBytes)> {
        let streams = self.first_bytes.iter().map(|(ssrc, bytes)| (ssrc, &**bytes));
        streams.filter(|(_, bytes)| bytes.packets() >= PACKETS_MIN).collect()
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judged = self.judged();
        write!(out, "{} datagrams seen; first bytes alike at most:", self.datagrams)?;
        for (_, bytes) in judged {
            write!(out, " {} of {}", bytes.most(), bytes.packets())?;
        }
        write!(out, "; {} clear key frames", self.clear_key_frames)
    }
}

/// The source and the payload, if it is RTP and not RTCP (RFC 5761 section 4).
fn rtp(datagram: &[u8]) -> Option<(u32, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<12>()?;
    let [first, second, .., a, b, c, d] = *header;
    if first >> 6 != 2 || (64..96).contains(&(second & 0x7F)) {
        return None;
    }
    let mut payload = rest.get(usize::from(first & 0x0F) * 4..)?;
    if first & 0x10 != 0 {
        let ([_, _, high, low], after) = payload.split_first_chunk::<4>()?;
        payload = after.get(usize::from(u16::from_be_bytes([*high, *low])) * 4..)?;
    }
    Some((u32::from_be_bytes([a, b, c, d]), payload))
}

/// The start code after any descriptor and the frame tag, followed by a size that our pictures may have.
fn begins_a_key_frame(payload: &[u8]) -> bool {
    let begins = |place: &[u8]| match *place {
        [0x9D, 0x01, 0x2A, w, wide, h, high] => {
            let side = |low, high| u16::from_le_bytes([low, high]) & 0x3FFF;
            (1..=640).contains(&side(w, wide)) && (1..=480).contains(&side(h, high))
        }
        _ => false,
    };
    payload.windows(7).take(DESCRIPTOR_BYTES_MAX).any(begins)
}

/// Planted: media as it would be without SRTP.
pub(crate) fn clear_media_is_noticed() -> Result<(), Failed> {
    sealed_with(|number| [hashed(number); 12])?;
    let descriptor = sealed_with(|_| [0x78; 12]);
    ensure(descriptor.is_err(), || "a descriptor in clear is not noticed".to_owned())?;
    let key_frame =
        sealed_with(|number| [hashed(number), 0, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01, 0]);
    ensure(key_frame.is_err(), || "a key frame in clear is not noticed".to_owned())?;
    ensure(Wire::default().is_sealed().is_err(), || "that nothing was seen is not noticed".to_owned())
}

/// What is found of four streams of such payloads.
fn sealed_with(payload: fn(u32) -> [u8; 12]) -> Result<(), Failed> {
    let mut wire = Wire::default();
    for number in 0..2_000_u32 {
        let mut datagram = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, number.to_le_bytes()[0] % 4];
        datagram.extend(payload(number));
        wire.saw(&datagram);
    }
    wire.is_sealed()
}

/// The upper byte of a multiplicative hash takes all values alike.
fn hashed(number: u32) -> u8 {
    let [upper, ..] = number.wrapping_mul(0x9E37_79B1).to_be_bytes();
    upper
}

/// Sound and picture, there and back.
const STREAMS_MIN: usize = 4;
/// Of these, the most frequent value comes some four times if all are alike.
const PACKETS_MIN: u32 = 100;
/// One value in one of so many: that happens to no sealed stream.
const FREQUENT_PART: u32 = 10;
/// The longest descriptor of VP8 and the frame tag, generously.
const DESCRIPTOR_BYTES_MAX: usize = 16;
