//! Whose a received packet is: SSRC, else MID, else RID, then remembered (RFC 8843 9.2, RFC 8852).
//!
//! Knows the names that producers announced on one transport, and the SSRCs learnt from them. Does not know payloads.
//! Called by `receive` once per packet. Invariant: a name belongs to one producer, and learnt SSRCs are bounded.

use crate::media::ProducerKey;
use crate::media::parameters::{Encoding, ExtensionIds};
use crate::media::refused::Refused;
use crate::random::{KeyedMap, KeyedState};
use crate::rtp::ExtensionKind;
use crate::rtp::header::Header;

/// The names of one transport.
#[derive(Debug)]
pub(crate) struct Demux {
    ssrcs: KeyedMap<u32, Place>,
    mids: KeyedMap<Box<str>, ProducerKey>,
    rids: KeyedMap<Box<str>, (ProducerKey, u8)>,
    learnt: usize,
}

/// One stream of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) producer: ProducerKey,
    /// Index of the producer's encoding.
    pub(crate) encoding: u8,
    pub(crate) role: Role,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Media,
    /// Retransmissions (RFC 4588).
    Rtx,
    /// Forward error correction (FlexFEC-03): counted, for it protects numbers that no consumer gets.
    Fec,
}

impl Demux {
    pub(crate) fn new(hasher: KeyedState) -> Self {
        Self {
            ssrcs: KeyedMap::with_hasher(hasher),
            mids: KeyedMap::with_hasher(hasher),
            rids: KeyedMap::with_hasher(hasher),
            learnt: 0,
        }
    }

    /// Refuses names that another producer of this transport has.
    pub(crate) fn check_free(
        &self,
        mid: Option<&str>,
        encodings: &[Encoding],
        fec: &[(u8, u32)],
    ) -> Result<(), Refused> {
        if let Some(mid) = mid.filter(|mid| self.mids.contains_key(*mid)) {
            return Err(Refused::duplicate(format!(
                "MID {mid} is another producer's on this transport; use a new one"
            )));
        }
        let own = encodings.iter().flat_map(|encoding| [encoding.ssrc, encoding.rtx_ssrc]).flatten();
        for ssrc in own.chain(fec.iter().map(|(_, ssrc)| *ssrc)) {
            if self.ssrcs.contains_key(&ssrc) {
                return Err(Refused::duplicate(format!(
                    "SSRC {ssrc} is another producer's on this transport; use a new one"
                )));
            }
        }
        for encoding in encodings {
            if let Some(rid) =
                encoding.rid.as_deref().filter(|rid| mid.is_none() && self.rids.contains_key(*rid))
            {
                return Err(Refused::duplicate(format!(
                    "RID {rid} is another producer's on this transport; give both a MID"
                )));
            }
        }
        Ok(())
    }

    /// Takes a producer's names, which must be free. `fec`: encodings' indices and their FEC's SSRCs.
    pub(crate) fn add(
        &mut self,
        producer: ProducerKey,
        mid: Option<&str>,
        encodings: &[Encoding],
        fec: &[(u8, u32)],
    ) {
        if let Some(mid) = mid {
            self.mids.insert(mid.into(), producer);
        }
        for (encoding, index) in encodings.iter().zip(0u8..) {
            let place = |role| Place { producer, encoding: index, role };
            if let Some(ssrc) = encoding.ssrc {
                self.ssrcs.insert(ssrc, place(Role::Media));
            }
            if let Some(ssrc) = encoding.rtx_ssrc {
                self.ssrcs.insert(ssrc, place(Role::Rtx));
            }
            if let Some(rid) = &encoding.rid {
                self.rids.insert(rid.clone(), (producer, index));
            }
        }
        for (encoding, ssrc) in fec {
            self.ssrcs.insert(*ssrc, Place { producer, encoding: *encoding, role: Role::Fec });
        }
    }

    /// Forgets a producer's names and what was learnt for it.
    pub(crate) fn remove(&mut self, producer: ProducerKey) {
        let before = self.ssrcs.len();
        self.ssrcs.retain(|_, place| place.producer != producer);
        self.mids.retain(|_, owner| *owner != producer);
        self.rids.retain(|_, (owner, _)| *owner != producer);
        self.learnt = self.learnt.saturating_sub(before - self.ssrcs.len());
        if self.is_empty() {
            self.ssrcs.shrink_to_fit();
            self.mids.shrink_to_fit();
            self.rids.shrink_to_fit();
        }
    }

    /// Whether a producer announced this SSRC, or it was learnt.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.ssrcs.contains_key(&ssrc)
    }

    /// Whose an SSRC is.
    pub(crate) fn place_of(&self, ssrc: u32) -> Option<Place> {
        self.ssrcs.get(&ssrc).copied()
    }

    /// Whether any producer is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.ssrcs.is_empty() && self.mids.is_empty() && self.rids.is_empty()
    }

    /// Whose a packet is. `encoding_of` says which encoding of a producer has a RID (first argument), or is its only
    /// one (`None`); `is_fec`, whether a packet of a producer is its FEC by the payload type.
    pub(crate) fn find(
        &mut self,
        header: &Header,
        packet: &[u8],
        ids: &ExtensionIds,
        encoding_of: impl Fn(ProducerKey, Option<&str>) -> Option<u8>,
        is_fec: impl Fn(ProducerKey) -> bool,
    ) -> Option<Place> {
        if let Some(place) = self.ssrcs.get(&header.ssrc) {
            return Some(*place);
        }
        let text = |kind| {
            let value = header.extensions.get(ids.get(kind)?, packet)?;
            std::str::from_utf8(value).ok()
        };
        let (rid, role) = match (text(ExtensionKind::Rid), text(ExtensionKind::RepairedRid)) {
            (_, Some(repaired)) => (Some(repaired), Role::Rtx),
            (rid, None) => (rid, Role::Media),
        };
        let (producer, encoding) = match text(ExtensionKind::Mid) {
            Some(mid) => {
                let producer = *self.mids.get(mid)?;
                (producer, encoding_of(producer, rid)?)
            }
            None => *self.rids.get(rid?)?,
        };
        let role = if is_fec(producer) { Role::Fec } else { role };
        self.learn(header.ssrc, Place { producer, encoding, role })
    }

    /// Remembers a stream that was found by name. The first one of a role wins until the producer closes: `None` for
    /// any other, whose numbers would only disturb the first one's.
    fn learn(&mut self, ssrc: u32, place: Place) -> Option<Place> {
        if self.learnt >= LEARNT_MAX || self.ssrcs.values().any(|known| *known == place) {
            return None;
        }
        self.ssrcs.insert(ssrc, place);
        self.learnt += 1;
        Some(place)
    }

    /// How many SSRCs were learnt from names in packets.
    pub(crate) fn learnt(&self) -> usize {
        self.learnt
    }

    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = (u32, ProducerKey)> + '_ {
        self.ssrcs.iter().map(|(ssrc, place)| (*ssrc, place.producer))
    }

    pub(crate) fn mids(&self) -> impl Iterator<Item = (&str, ProducerKey)> {
        self.mids.iter().map(|(mid, producer)| (&**mid, *producer))
    }

    pub(crate) fn rids(&self) -> impl Iterator<Item = (&str, ProducerKey)> {
        self.rids.iter().map(|(rid, (producer, _))| (&**rid, *producer))
    }
}

/// The most SSRCs that one transport learns from names in packets.
pub(crate) const LEARNT_MAX: usize = 256;
