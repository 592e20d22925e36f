//! Protection of what a transport sends and receives.

use tidegate_protocol::stats::DroppedPackets;

use crate::base::pool::Buffer;
use crate::srtp::{Keys, Protect, Unprotect, UnprotectError};

/// Both directions of one transport.
#[derive(Debug)]
pub(crate) struct Srtp {
    pub(crate) protect: Protect,
    unprotect: Unprotect,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
}

impl Srtp {
    pub(crate) fn new(local: &Keys, remote: &Keys) -> Option<Self> {
        Some(Self { protect: Protect::new(local)?, unprotect: Unprotect::new(remote)? })
    }

    pub(crate) fn open(&mut self, kind: Kind, buffer: &mut Buffer, dropped: &mut DroppedPackets) -> bool {
        let _ = (kind, buffer, dropped, &mut self.unprotect, UnprotectError::Replayed);
        todo!()
    }
}
