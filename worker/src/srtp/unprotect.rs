//! From protected to plain: what the peer sends, in place.
//!
//! Knows what came of each SSRC. Does not know producers. Called before anything else looks at a packet's payload.
//! Invariant: a packet that is refused has changed nothing here.

use crate::base::sequence::Serial16;
use crate::base::time::Time;
use crate::srtp::cipher::{Cipher, Cm, Gcm};
use crate::srtp::index::Index;
use crate::srtp::keys::{Keys, SessionKeys};
use crate::srtp::protect::{ENCRYPTED, RTCP_HEADER_BYTES, numbers, rtcp_clear};
use crate::srtp::streams::{Full, Streams};
use crate::srtp::suite::{INDEX_BYTES, Suite};

/// Our receiving side of one transport.
#[derive(Debug)]
pub struct Unprotect {
    suite: Suite,
    rtp: Cipher,
    /// Expanded for each compound.
    rtcp: SessionKeys,
    /// A window of 1,024 packets.
    streams: Streams<16>,
    /// A window of 128 compounds (RFC 3711 3.3.2: 64 at least).
    reports: Streams<2>,
}

/// Why a packet was refused: drop it, and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UnprotectError {
    /// Too short for what it says and for a tag.
    #[error("too short for an SRTP or SRTCP packet")]
    TooShort,
    /// It came before, or so long ago that nobody can say.
    #[error("received before, or older than the replay window")]
    Replayed,
    /// Not from the peer, or changed on its way, or under other keys.
    #[error("not authentic")]
    NotAuthentic,
    /// Authentic, of a new SSRC, and there are [`STREAMS_MAX`](crate::srtp::STREAMS_MAX) already.
    #[error("more streams than this transport tells apart")]
    TooManyStreams,
}

impl From<Full> for UnprotectError {
    fn from(_: Full) -> Self {
        Self::TooManyStreams
    }
}

impl Unprotect {
    /// A session that has heard nothing. `None` only if a library refused a key of the right length.
    pub fn new(keys: &Keys) -> Option<Self> {
        Self::with_session_keys(&keys.rtp(), keys.rtcp())
    }

    pub(super) fn with_session_keys(rtp: &SessionKeys, rtcp: SessionKeys) -> Option<Self> {
        Some(Self {
            suite: rtcp.suite,
            rtp: Cipher::new(rtp)?,
            rtcp,
            streams: Streams::default(),
            reports: Streams::default(),
        })
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Opens an RTP packet in place. `header_bytes` are those before its payload
    /// ([`rtp::header::payload_offset`](crate::rtp::header::payload_offset)). Its length without the tag.
    ///
    /// # Errors
    /// [`UnprotectError`]; what stands behind the header is then void.
    pub fn rtp(
        &mut self,
        packet: &mut [u8],
        header_bytes: usize,
        now: Time,
    ) -> Result<usize, UnprotectError> {
        let (sequence, ssrc) = numbers(packet).ok_or(UnprotectError::TooShort)?;
        let bytes = packet.len().checked_sub(self.suite.rtp_tag_bytes()).ok_or(UnprotectError::TooShort)?;
        if bytes < header_bytes {
            return Err(UnprotectError::TooShort);
        }
        let index = self.index(ssrc, sequence)?;
        let id = (ssrc, index.value());
        match &self.rtp {
            Cipher::Cm(cm) => open_cm(cm, packet, bytes, header_bytes, id, index.roc()),
            Cipher::Gcm(gcm) => {
                packet.split_at_mut_checked(header_bytes).and_then(|(clear, body)| gcm.open(id, clear, body))
            }
        }
        .ok_or(UnprotectError::NotAuthentic)?;
        self.streams.insert(ssrc, index.value(), now)?;
        Ok(bytes)
    }

    /// Opens an RTCP compound in place. Its length without tag and index.
    ///
    /// # Errors
    /// [`UnprotectError`]; what stands behind the first 8 bytes is then void.
    pub fn rtcp(&mut self, packet: &mut [u8], now: Time) -> Result<usize, UnprotectError> {
        let bytes = packet.len().checked_sub(self.suite.rtcp_trailer_bytes());
        let bytes = bytes.filter(|bytes| *bytes >= RTCP_HEADER_BYTES).ok_or(UnprotectError::TooShort)?;
        let ssrc = packet.get(4..8).and_then(|ssrc| ssrc.try_into().ok()).map(u32::from_be_bytes);
        let word = match self.suite.is_aead() {
            true => packet.last_chunk::<INDEX_BYTES>(),
            false => packet.get(bytes..).and_then(|trailer| trailer.first_chunk()),
        };
        let (ssrc, word) = ssrc.zip(word.copied()).ok_or(UnprotectError::TooShort)?;
        let flag_and_index = u32::from_be_bytes(word);
        let index = u64::from(flag_and_index & !ENCRYPTED);
        if self.reports.window(ssrc).is_some_and(|window| window.has(index)) {
            return Err(UnprotectError::Replayed);
        }
        let is_encrypted = flag_and_index & ENCRYPTED != 0;
        match self.suite.is_aead() {
            true => Gcm::new(&self.rtcp)
                .and_then(|gcm| open_rtcp_gcm(&gcm, packet, bytes, word, is_encrypted, (ssrc, index))),
            false => Cm::new(&self.rtcp)
                .and_then(|cm| open_rtcp_cm(&cm, packet, bytes, is_encrypted, (ssrc, index))),
        }
        .ok_or(UnprotectError::NotAuthentic)?;
        self.reports.insert(ssrc, index, now)?;
        Ok(bytes)
    }

    /// Forgets a stream of the peer: a packet of it is then a first one.
    pub fn forget(&mut self, ssrc: u32) {
        self.streams.remove(ssrc);
        self.reports.remove(ssrc);
    }

    /// How many SSRCs it remembers, of RTP and of RTCP.
    pub const fn streams(&self) -> (usize, usize) {
        (self.streams.len(), self.reports.len())
    }

    fn index(&self, ssrc: u32, sequence: Serial16) -> Result<Index, UnprotectError> {
        let Some(window) = self.streams.window(ssrc) else { return Ok(Index::first(sequence)) };
        // Before the first cycle there is none: such a number can only be far ahead in the first one.
        let index = Index::near(Index::from_value(window.newest()), sequence)
            .unwrap_or_else(|| Index::first(sequence));
        match window.has(index.value()) {
            true => Err(UnprotectError::Replayed),
            false => Ok(index),
        }
    }
}

fn open_cm(
    cm: &Cm,
    packet: &mut [u8],
    bytes: usize,
    header_bytes: usize,
    (ssrc, index): (u32, u64),
    roc: u32,
) -> Option<()> {
    let (covered, tag) = packet.split_at_mut_checked(bytes)?;
    if !cm.verify(covered, &roc.to_be_bytes(), tag) {
        return None;
    }
    Cm::apply(&mut cm.keystream(ssrc, index), covered.get_mut(header_bytes..)?)
}

fn open_rtcp_cm(
    cm: &Cm,
    packet: &mut [u8],
    bytes: usize,
    is_encrypted: bool,
    (ssrc, index): (u32, u64),
) -> Option<()> {
    let (covered, tag) = packet.split_at_mut_checked(bytes + INDEX_BYTES)?;
    if !cm.verify(covered, &[], tag) {
        return None;
    }
    match is_encrypted {
        true => Cm::apply(&mut cm.keystream(ssrc, index), covered.get_mut(RTCP_HEADER_BYTES..bytes)?),
        false => Some(()),
    }
}

fn open_rtcp_gcm(
    gcm: &Gcm,
    packet: &mut [u8],
    bytes: usize,
    word: [u8; 4],
    is_encrypted: bool,
    id: (u32, u64),
) -> Option<()> {
    let (compound_and_tag, _) = packet.split_last_chunk_mut::<INDEX_BYTES>()?;
    if is_encrypted {
        let (head, body_and_tag) = compound_and_tag.split_first_chunk_mut()?;
        return gcm.open(id, &rtcp_clear(head, word), body_and_tag);
    }
    // RFC 7714 9.2: nothing is encrypted, all is covered, the word behind the compound: it takes the tag's place.
    let tag = *compound_and_tag.last_chunk()?;
    compound_and_tag.get_mut(bytes..bytes + INDEX_BYTES)?.copy_from_slice(&word);
    gcm.verify(id, compound_and_tag.get(..bytes + INDEX_BYTES)?, tag).then_some(())
}

const _: () = assert!(size_of::<Unprotect>() <= 152);
