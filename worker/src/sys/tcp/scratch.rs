//! Room to take frames apart and to put them together.
//!
//! Knows bytes and frames. Does not know connections. Kept by `TcpSockets`, for all of them.

use super::connection::append_frame;
use super::queue::Frame;
use crate::network::Message;

/// Where frames are taken apart and put together; shared by all connections, and empty when long unused.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) received: Vec<u8>,
    pub(super) outgoing: Vec<u8>,
    pub(super) frames: Vec<Frame>,
    pub(super) used_since_reclaim: bool,
}

impl Scratch {
    pub(super) fn receive_room(&mut self) -> &mut [u8] {
        self.used_since_reclaim = true;
        if self.received.is_empty() {
            self.received = vec![0; READ_BYTES];
        }
        &mut self.received
    }

    pub(super) fn gather(&mut self, message: &Message, datagrams: &[u8]) {
        self.used_since_reclaim = true;
        for datagram in datagrams.chunks(usize::from(message.segment_bytes()).max(1)) {
            append_frame(&mut self.outgoing, &mut self.frames, datagram, message.content());
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.outgoing.len() >= WRITE_BYTES
    }
}

/// Bytes read at once: a handful of full frames, or some hundred of the shortest.
pub(super) const READ_BYTES: usize = 8 * 1024;
/// Bytes gathered for one write, roughly.
const WRITE_BYTES: usize = 64 * 1024;
