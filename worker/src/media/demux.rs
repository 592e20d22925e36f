//! Whose a received packet is: SSRC, else MID, else RID, then remembered (RFC 8843 9.2, RFC 8852).
//!
//! Knows the names that producers announced on one transport, and the SSRCs learnt from them. Does not know payloads
//! beyond their type. Called by `receive` once per packet.
//! Invariant: an SSRC or a MID belongs to one producer, a stream has one SSRC at a time, and learnt SSRCs are bounded.

use smallvec::SmallVec;

use crate::base::table::Table;
use crate::base::time::Time;
use crate::media::ProducerKey;
use crate::media::parameters::{Encoding, ExtensionIds};
use crate::media::producer::Producer;
use crate::media::refused::Refused;
use crate::random::{KeyedMap, KeyedState};
use crate::rtp::ExtensionKind;
use crate::rtp::header::Header;

/// The names of one transport.
#[derive(Debug)]
pub(crate) struct Demux {
    ssrcs: KeyedMap<u32, Known>,
    mids: KeyedMap<Box<str>, ProducerKey>,
    /// Producers with different MIDs may have the same RIDs.
    rids: KeyedMap<Box<str>, SmallVec<[Named; 1]>>,
    learnt: usize,
}

/// Whose an SSRC is, and how that is known.
#[derive(Clone, Copy, Debug)]
struct Known {
    place: Place,
    /// By a name in its packets; else the host said it.
    learnt: bool,
}

/// An encoding with a RID.
#[derive(Clone, Copy, Debug)]
struct Named {
    producer: ProducerKey,
    encoding: u8,
    /// Its packets say whose they are without it.
    has_mid: bool,
}

/// One stream of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) producer: ProducerKey,
    /// Index of the producer's encoding.
    pub(crate) encoding: u8,
    pub(crate) role: Role,
}

impl Place {
    /// Whether both are of one encoding.
    fn is_of(self, other: Self) -> bool {
        (self.producer, self.encoding) == (other.producer, other.encoding)
    }
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
            if let Some(ssrc) = encoding.ssrc {
                self.announce(ssrc, Place { producer, encoding: index, role: Role::Media });
            }
            if let Some(ssrc) = encoding.rtx_ssrc {
                self.announce(ssrc, Place { producer, encoding: index, role: Role::Rtx });
            }
            if let Some(rid) = &encoding.rid {
                let named = Named { producer, encoding: index, has_mid: mid.is_some() };
                self.rids.entry(rid.clone()).or_default().push(named);
            }
        }
        for (encoding, ssrc) in fec {
            self.announce(*ssrc, Place { producer, encoding: *encoding, role: Role::Fec });
        }
    }

    fn announce(&mut self, ssrc: u32, place: Place) {
        self.ssrcs.insert(ssrc, Known { place, learnt: false });
    }

    /// Forgets a producer's names and what was learnt for it.
    pub(crate) fn remove(&mut self, producer: ProducerKey) {
        self.forget(|known| known.place.producer == producer);
        self.mids.retain(|_, owner| *owner != producer);
        self.rids.retain(|_, owners| {
            owners.retain(|owner| owner.producer != producer);
            !owners.is_empty()
        });
        if self.is_empty() {
            self.ssrcs.shrink_to_fit();
            self.mids.shrink_to_fit();
            self.rids.shrink_to_fit();
        }
    }

    fn forget(&mut self, is_gone: impl Fn(&Known) -> bool) {
        let Self { ssrcs, learnt, .. } = self;
        ssrcs.retain(|_, known| {
            let gone = is_gone(known);
            *learnt -= usize::from(gone && known.learnt);
            !gone
        });
    }

    /// Whether a producer announced this SSRC, or it was learnt.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.ssrcs.contains_key(&ssrc)
    }

    /// Whose an SSRC is.
    pub(crate) fn place_of(&self, ssrc: u32) -> Option<Place> {
        self.ssrcs.get(&ssrc).map(|known| known.place)
    }

    /// Whether any producer is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.ssrcs.is_empty() && self.mids.is_empty() && self.rids.is_empty()
    }

    /// Whose a packet is.
    pub(crate) fn find(
        &mut self,
        header: &Header,
        packet: &[u8],
        ids: &ExtensionIds,
        producers: &Table<Producer>,
        now: Time,
    ) -> Option<Place> {
        if let Some(known) = self.ssrcs.get(&header.ssrc) {
            return Some(known.place);
        }
        let place = self.find_by_name(header, packet, ids, producers)?;
        let is_silent =
            || producers.get(place.producer).is_some_and(|producer| producer.is_silent(place.encoding, now));
        self.learn(header.ssrc, place, is_silent)
    }

    /// What a stream carries is judged by the payload type: a sender of retransmissions may name only its MID.
    fn find_by_name(
        &self,
        header: &Header,
        packet: &[u8],
        ids: &ExtensionIds,
        producers: &Table<Producer>,
    ) -> Option<Place> {
        let text = |kind| {
            let value = header.extensions.get(ids.get(kind)?, packet)?;
            std::str::from_utf8(value).ok()
        };
        let (rid, repaired) = (text(ExtensionKind::Rid), text(ExtensionKind::RepairedRid));
        let place_in = |key: ProducerKey| {
            let producer = producers.get(key)?;
            let role = producer.role_of(header.payload_type)?;
            let rid = if role == Role::Rtx { repaired.or(rid) } else { rid };
            Some((role, rid, producer))
        };
        if let Some(mid) = text(ExtensionKind::Mid) {
            let key = *self.mids.get(mid)?;
            let (role, rid, producer) = place_in(key)?;
            return Some(Place { producer: key, encoding: producer.encoding_with_rid(rid)?, role });
        }
        let owner = self.owner_of_rid(repaired.or(rid)?)?;
        let (role, ..) = place_in(owner.producer)?;
        Some(Place { producer: owner.producer, encoding: owner.encoding, role })
    }

    /// Whom a RID alone names: the producer that has nothing else, or the only one that has this.
    fn owner_of_rid(&self, rid: &str) -> Option<Named> {
        let owners = self.rids.get(rid)?;
        let unnamed = owners.iter().find(|owner| !owner.has_mid);
        unnamed
            .or(match owners.as_slice() {
                [owner] => Some(owner),
                _ => None,
            })
            .copied()
    }

    /// Remembers a stream that was found by name. While the stream that has the place is heard of, a second one's numbers
    /// would only disturb it: `None`. Of one that has fallen silent a new SSRC takes the place (a sender that was started
    /// anew), unless the host said the old one.
    fn learn(&mut self, ssrc: u32, place: Place, is_silent: impl FnOnce() -> bool) -> Option<Place> {
        let holder = self.ssrcs.iter().find(|(_, known)| known.place == place).map(|(_, known)| known.learnt);
        match holder {
            Some(learnt) if !learnt || place.role != Role::Media || !is_silent() => return None,
            // With what belonged to it: its retransmissions have an SSRC of their own.
            Some(_) => self.forget(|known| known.learnt && known.place.is_of(place)),
            None => {}
        }
        if self.learnt >= LEARNT_MAX {
            return None;
        }
        self.ssrcs.insert(ssrc, Known { place, learnt: true });
        self.learnt += 1;
        Some(place)
    }

    /// How many SSRCs were learnt from names in packets.
    pub(crate) fn learnt(&self) -> usize {
        self.learnt
    }

    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = (u32, ProducerKey)> + '_ {
        self.ssrcs.iter().map(|(ssrc, known)| (*ssrc, known.place.producer))
    }

    pub(crate) fn mids(&self) -> impl Iterator<Item = (&str, ProducerKey)> {
        self.mids.iter().map(|(mid, producer)| (&**mid, *producer))
    }

    pub(crate) fn rids(&self) -> impl Iterator<Item = (&str, ProducerKey)> {
        self.rids.iter().flat_map(|(rid, owners)| owners.iter().map(|owner| (&**rid, owner.producer)))
    }
}

/// The most SSRCs that one transport learns from names in packets.
pub(crate) const LEARNT_MAX: usize = 256;
