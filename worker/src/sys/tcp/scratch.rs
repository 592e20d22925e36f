//! Room to take frames apart and to put them together.
//!
//! Knows bytes and frames. Does not know connections. Kept by `TcpSockets`, for all of them.

use super::connection::append_frame;
use super::queue::Frame;
use crate::network::{Content, Message};

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

    /// Drops what video was gathered; answers how many frames.
    pub(super) fn drop_video(&mut self) -> u64 {
        let (mut read, mut write, before) = (0, 0, self.frames.len());
        let bytes = &mut self.outgoing;
        self.frames.retain(|frame| {
            let end = read + frame.bytes as usize;
            let stays = frame.content == Content::Other;
            if stays {
                bytes.copy_within(read..end, write);
                write += end - read;
            }
            read = end;
            stays
        });
        bytes.truncate(write);
        (before - self.frames.len()) as u64
    }
}

/// Bytes read at once: a handful of full frames, or some hundred of the shortest.
pub(super) const READ_BYTES: usize = 8 * 1024;
/// Bytes gathered for one write, roughly.
const WRITE_BYTES: usize = 64 * 1024;
