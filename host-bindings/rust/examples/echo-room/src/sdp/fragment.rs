//! The fragments of trickle ICE (RFC 8840 9), which clients send with PATCH.
//!
//! Knows whose credentials are named. Reads no candidates: a worker is ICE-lite, it answers checks and makes none.

use sdp_types as sdp;
use tidegate::{IceCandidate, IceParameters};

use crate::sdp::Ice;
use crate::sdp::answer::candidate_line;
use crate::sdp::offer::{OfferError, read};

/// What a client trickled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its credentials: others than before mean an ICE restart (RFC 9725 4.3.3).
    pub ice: Ice,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// It has no credentials, or lines that are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, OfferError> {
        // A fragment is what may follow the first lines of a description.
        let whole = [b"v=0\r\n", bytes].concat();
        let session = read(&whole)?;
        let none = sdp::Media::new(sdp::MediaType::Application, 0, sdp::TransportProto::Udp, "0");
        let sections = session.medias.iter().chain(std::iter::once(&none));
        let mut found = sections.filter_map(|media| Ice::of(media, &session));
        let missing = || OfferError::Malformed("the fragment has no ice-ufrag and ice-pwd".to_owned());
        found.next().map(|ice| Self { ice }).ok_or_else(missing)
    }

    /// What a client is told after an ICE restart; `head` is [`Offer::head`](crate::sdp::Offer::head) of what it offered.
    pub fn restarted(head: &str, ice: &IceParameters, candidates: &[IceCandidate]) -> String {
        let mut lines = vec!["a=ice-lite".to_owned(), head.to_owned()];
        lines.push(format!("a=ice-ufrag:{}", ice.username_fragment));
        lines.push(format!("a=ice-pwd:{}", ice.password));
        lines.extend(candidates.iter().map(|candidate| format!("a=candidate:{}", candidate_line(candidate))));
        lines.push("a=end-of-candidates\r\n".to_owned());
        lines.join("\r\n")
    }
}
