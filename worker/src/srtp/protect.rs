//! From plain to protected: what this transport sends.
//!
//! Knows the newest index of each of our SSRCs, so that a packet that is sent again gets the index it had. Does not know
//! consumers; `seal` writes header and extensions and calls this for the rest.
//! Invariant: an index never goes back to one that was used before for another packet, as long as the caller gives each
//! sequence number to one packet only.

use crate::base::sequence::Serial16;
use crate::srtp::cipher::{Cipher, Cm, Gcm};
use crate::srtp::index::Index;
use crate::srtp::keys::{Keys, SessionKeys};
use crate::srtp::suite::{INDEX_BYTES, Suite};

/// Our sending side of one transport.
#[derive(Debug)]
pub struct Protect {
    suite: Suite,
    rtp: Cipher,
    /// Expanded for each compound: 0.1 us, some tens of times a second, for 0.5 KB in each transport.
    rtcp: SessionKeys,
    /// By SSRC.
    streams: Vec<Stream>,
    /// By SSRC: the index of the next compound.
    reports: Vec<(u32, u32)>,
    retirements: u32,
}

/// What was sent under an SSRC.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// 0 while it is in use, else in which order its like went out of use.
    retired: u32,
    newest: Index,
}

/// Where the parts of a packet lie, the room for its tag included.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// Bytes that stay readable: header, CSRCs, extension block.
    pub header_bytes: usize,
    /// Where the payload comes; what stands between it and the header (the number before an RTX payload), and behind the
    /// payload (padding), is encrypted where it is.
    pub payload_offset: usize,
    /// Encrypted from here into the packet.
    pub payload: &'a [u8],
}

/// Why a packet cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// 2^48 packets or 2^31 compounds went under this key (RFC 3711 9.2), or the sequence number lies before the first.
    #[error("no packet index is left for this packet; make new keys")]
    NoIndex,
    /// The caller's lengths contradict each other.
    #[error("the packet's parts do not fit its length")]
    Length,
}

impl Protect {
    /// A session without streams. `None` only if a library refused a key of the right length.
    pub fn new(keys: &Keys) -> Option<Self> {
        Self::with_session_keys(&keys.rtp(), keys.rtcp())
    }

    pub(super) fn with_session_keys(rtp: &SessionKeys, rtcp: SessionKeys) -> Option<Self> {
        Some(Self {
            suite: rtcp.suite,
            rtp: Cipher::new(rtp)?,
            rtcp,
            streams: Vec::new(),
            reports: Vec::new(),
            retirements: 0,
        })
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Protects one RTP packet. `packet` is as long as it will leave: header (and whatever belongs before the payload)
    /// written, room for the payload, padding written, [`Suite::rtp_tag_bytes`] of room for the tag.
    ///
    /// # Errors
    /// [`ProtectError`]; the packet must then not leave.
    pub fn rtp(&mut self, packet: &mut [u8], body: Body<'_>) -> Result<(), ProtectError> {
        let (sequence, ssrc) = numbers(packet).ok_or(ProtectError::Length)?;
        let index = self.index(ssrc, sequence).ok_or(ProtectError::NoIndex)?;
        match &self.rtp {
            Cipher::Cm(cm) => seal_cm(cm, self.suite, packet, body, (ssrc, index)),
            Cipher::Gcm(gcm) => seal_gcm(gcm, packet, body, (ssrc, index)),
        }
        .ok_or(ProtectError::Length)?;
        self.note(ssrc, index);
        Ok(())
    }

    /// Protects one RTCP compound in place: its first `bytes` bytes are plain, the rest of `packet` has room for at least
    /// [`Suite::rtcp_trailer_bytes`]. Its length from now on.
    ///
    /// # Errors
    /// [`ProtectError`]; the compound must then not leave.
    pub fn rtcp(&mut self, packet: &mut [u8], bytes: usize) -> Result<usize, ProtectError> {
        let total = bytes + self.suite.rtcp_trailer_bytes();
        let packet = packet.get_mut(..total).ok_or(ProtectError::Length)?;
        let ssrc = packet.get(4..8).and_then(|ssrc| ssrc.try_into().ok()).map(u32::from_be_bytes);
        let ssrc = ssrc.filter(|_| bytes >= RTCP_HEADER_BYTES).ok_or(ProtectError::Length)?;
        let index = self.next_report(ssrc).ok_or(ProtectError::NoIndex)?;
        let word = (ENCRYPTED | index).to_be_bytes();
        let id = (ssrc, u64::from(index));
        match self.suite.is_aead() {
            true => {
                seal_rtcp_gcm(&Gcm::new(&self.rtcp).ok_or(ProtectError::Length)?, packet, bytes, word, id)
            }
            false => seal_rtcp_cm(&Cm::new(&self.rtcp).ok_or(ProtectError::Length)?, packet, bytes, word, id),
        }
        .ok_or(ProtectError::Length)?;
        Ok(total)
    }

    /// The sequence number with which a stream under `ssrc` must go on, if this session had one before: never again an
    /// index that was used.
    pub fn next_sequence(&self, ssrc: u32) -> Option<Serial16> {
        let place = self.place(ssrc).ok()?;
        self.streams.get(place).map(|stream| stream.newest.sequence().next())
    }

    /// No packet of this stream will be sent, for now. Its newest index is kept, for the last [`RETIRED_MAX`] such streams:
    /// an SSRC that comes back must not repeat itself under the same key.
    pub fn retire(&mut self, ssrc: u32) {
        let Ok(place) = self.place(ssrc) else { return };
        self.retirements = self.retirements.saturating_add(1);
        if let Some(stream) = self.streams.get_mut(place) {
            stream.retired = self.retirements;
        }
        let retired = self.streams.iter().filter(|stream| stream.retired != 0);
        if retired.clone().count() > RETIRED_MAX
            && let Some(oldest) = retired.min_by_key(|stream| stream.retired).map(|stream| stream.ssrc)
        {
            self.streams.retain(|stream| stream.ssrc != oldest);
            self.reports.retain(|(ssrc, _)| *ssrc != oldest);
        }
    }

    /// How many SSRCs it remembers.
    pub const fn streams(&self) -> usize {
        self.streams.len()
    }

    #[cfg(test)]
    pub(super) fn set_newest(&mut self, ssrc: u32, index: u64) {
        self.note(ssrc, Index::from_value(index));
    }

    #[cfg(test)]
    pub(super) fn set_next_report(&mut self, ssrc: u32, index: u32) {
        self.reports.retain(|(known, _)| *known != ssrc);
        self.reports.push((ssrc, index));
        self.reports.sort_unstable();
    }

    fn place(&self, ssrc: u32) -> Result<usize, usize> {
        self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc)
    }

    fn index(&self, ssrc: u32, sequence: Serial16) -> Option<Index> {
        match self.place(ssrc).ok().and_then(|place| self.streams.get(place)) {
            Some(stream) => Index::near(stream.newest, sequence),
            None => Some(Index::first(sequence)),
        }
    }

    fn note(&mut self, ssrc: u32, index: Index) {
        match self.place(ssrc) {
            Ok(place) => {
                if let Some(stream) = self.streams.get_mut(place) {
                    stream.newest = stream.newest.max(index);
                    stream.retired = 0;
                }
            }
            Err(place) => {
                reserve_few(&mut self.streams);
                self.streams.insert(place, Stream { ssrc, retired: 0, newest: index });
            }
        }
    }

    /// RFC 3711 3.4: from 0 on, one more for each compound of an SSRC.
    fn next_report(&mut self, ssrc: u32) -> Option<u32> {
        match self.reports.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            Ok(place) => {
                let (_, next) = self.reports.get_mut(place)?;
                let index = *next;
                if index >= ENCRYPTED {
                    return None;
                }
                *next += 1;
                Some(index)
            }
            Err(place) => {
                reserve_few(&mut self.reports);
                self.reports.insert(place, (ssrc, 1));
                Some(0)
            }
        }
    }
}

/// Room for a few more, not for twice as many: a transport sends a handful of streams.
fn reserve_few<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().clamp(1, 64));
    }
}

/// Sequence number and SSRC of an RTP packet.
pub(super) fn numbers(packet: &[u8]) -> Option<(Serial16, u32)> {
    let [_, _, q0, q1, _, _, _, _, s0, s1, s2, s3] = *packet.first_chunk()?;
    Some((Serial16::new(u16::from_be_bytes([q0, q1])), u32::from_be_bytes([s0, s1, s2, s3])))
}

fn seal_cm(
    cm: &Cm,
    suite: Suite,
    packet: &mut [u8],
    body: Body<'_>,
    (ssrc, index): (u32, Index),
) -> Option<()> {
    let covered_bytes = packet.len().checked_sub(suite.rtp_tag_bytes())?;
    let (covered, tag) = packet.split_at_mut_checked(covered_bytes)?;
    let (head, rest) = covered.split_at_mut_checked(body.payload_offset)?;
    let (payload, padding) = rest.split_at_mut_checked(body.payload.len())?;
    let mut stream = cm.keystream(ssrc, index.value());
    Cm::apply(&mut stream, head.get_mut(body.header_bytes..)?)?;
    Cm::encrypt_to(&mut stream, body.payload, payload)?;
    Cm::apply(&mut stream, padding)?;
    let full = cm.tag(covered, &index.roc().to_be_bytes());
    tag.copy_from_slice(full.get(..tag.len())?);
    Some(())
}

fn seal_gcm(gcm: &Gcm, packet: &mut [u8], body: Body<'_>, (ssrc, index): (u32, Index)) -> Option<()> {
    let (covered, tag) = packet.split_last_chunk_mut()?;
    let payload_end = body.payload_offset.checked_add(body.payload.len())?;
    covered.get_mut(body.payload_offset..payload_end)?.copy_from_slice(body.payload);
    let (clear, encrypted) = covered.split_at_mut_checked(body.header_bytes)?;
    *tag = gcm.seal((ssrc, index.value()), clear, encrypted)?;
    Some(())
}

/// Compound, E flag and index, tag (RFC 3711 3.4).
fn seal_rtcp_cm(cm: &Cm, packet: &mut [u8], bytes: usize, word: [u8; 4], id: (u32, u64)) -> Option<()> {
    let (covered, tag) = packet.split_at_mut_checked(bytes + INDEX_BYTES)?;
    let (compound, place) = covered.split_last_chunk_mut()?;
    *place = word;
    Cm::apply(&mut cm.keystream(id.0, id.1), compound.get_mut(RTCP_HEADER_BYTES..)?)?;
    let full = cm.tag(covered, &[]);
    tag.copy_from_slice(full.get(..tag.len())?);
    Some(())
}

/// Compound, tag, E flag and index (RFC 7714 9.3).
fn seal_rtcp_gcm(gcm: &Gcm, packet: &mut [u8], bytes: usize, word: [u8; 4], id: (u32, u64)) -> Option<()> {
    let (compound, trailer) = packet.split_at_mut_checked(bytes)?;
    let (head, encrypted) = compound.split_first_chunk_mut::<RTCP_HEADER_BYTES>()?;
    let (tag, place) = trailer.split_first_chunk_mut()?;
    place.copy_from_slice(&word);
    *tag = gcm.seal(id, &rtcp_clear(head, word), encrypted)?;
    Some(())
}

/// What GCM covers of a compound and does not encrypt (RFC 7714 9.2).
pub(super) fn rtcp_clear(head: &[u8; RTCP_HEADER_BYTES], word: [u8; 4]) -> [u8; 12] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = *head;
    let [w0, w1, w2, w3] = word;
    [h0, h1, h2, h3, h4, h5, h6, h7, w0, w1, w2, w3]
}

/// Streams out of use whose newest index is kept.
pub const RETIRED_MAX: usize = 1_024;
/// First packet's header and the sender's SSRC: never encrypted (RFC 3711 3.4).
pub(super) const RTCP_HEADER_BYTES: usize = 8;
/// The E flag before the 31 bits of the index.
pub(super) const ENCRYPTED: u32 = 1 << 31;

const _: () = assert!(size_of::<Protect>() <= 144 && size_of::<Stream>() == 16);
