//! Datagrams that wait until a socket's send buffer has room again.
//!
//! Knows bytes and a bound. Does not know sockets. Called by `UdpSockets`.
//! Invariant: never holds more than its bound; what does not fit costs the oldest, for late media is worth least.

use std::collections::VecDeque;

use super::send::{Cursor, Outgoing};
use crate::network::Destination;

/// Messages of one socket in the order in which they are to leave. Takes no memory while empty.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    to: Destination,
    datagrams: Box<[u8]>,
    segment_bytes: u16,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes held, bookkeeping included.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, index: usize) -> Option<Outgoing<'_>> {
        self.waiting.get(index).map(Waiting::outgoing)
    }

    /// Appends a copy of what is left of `message` behind `offset`. `limit_bytes` bounds the whole backlog; answers
    /// how many datagrams were given up for it.
    pub(super) fn push(&mut self, message: &Outgoing<'_>, offset: usize, limit_bytes: usize) -> u64 {
        let datagrams = message.bytes.get(offset..).unwrap_or_default();
        let waiting =
            Waiting { to: *message.to, datagrams: datagrams.into(), segment_bytes: message.segment_bytes };
        if waiting.cost() > limit_bytes {
            return waiting.count();
        }
        let mut dropped = 0;
        while self.bytes + waiting.cost() > limit_bytes {
            dropped += self.pop();
        }
        self.bytes += waiting.cost();
        self.waiting.push_back(waiting);
        dropped
    }

    /// Forgets what was sent, `done` being where a `Sender` stopped.
    pub(super) fn advance(&mut self, done: Cursor) {
        for _ in 0..done.message {
            self.pop();
        }
        if let Some(first) = self.waiting.front_mut() {
            self.bytes -= first.cost();
            first.datagrams = first.datagrams.get(done.offset..).unwrap_or_default().into();
            self.bytes += first.cost();
        }
        if self.waiting.is_empty() {
            *self = Self::default();
        }
    }

    /// Drops the oldest; answers how many datagrams it was.
    fn pop(&mut self) -> u64 {
        let Some(oldest) = self.waiting.pop_front() else { return 0 };
        self.bytes -= oldest.cost();
        oldest.count()
    }
}

impl Waiting {
    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { to: &self.to, bytes: &self.datagrams, segment_bytes: self.segment_bytes }
    }

    fn cost(&self) -> usize {
        self.datagrams.len() + size_of::<Self>()
    }

    fn count(&self) -> u64 {
        (self.datagrams.len() as u64).div_ceil(u64::from(self.segment_bytes).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::SocketKey;

    const LIMIT: usize = 4096;

    fn push(backlog: &mut Backlog, bytes: &[u8], segment_bytes: u16) -> u64 {
        let to = Destination {
            socket: SocketKey::new(0, 0),
            remote: "127.0.0.1:9".parse().unwrap(),
            local_ip: None,
        };
        backlog.push(&Outgoing { to: &to, bytes, segment_bytes }, 0, LIMIT)
    }

    #[test]
    fn the_oldest_make_room_and_are_counted_by_the_datagram() {
        let mut backlog = Backlog::default();
        assert_eq!(push(&mut backlog, &[1; 1500], 500), 0);
        assert_eq!(push(&mut backlog, &[2; 1500], 500), 0);
        assert_eq!(push(&mut backlog, &[3; 1500], 500), 3);
        assert_eq!(backlog.get(0).unwrap().bytes, [2; 1500]);
        assert!(backlog.bytes() <= LIMIT);
        assert_eq!(push(&mut backlog, &[4; 5000], 500), 10, "what never fits is not taken");
        assert_eq!(backlog.get(1).unwrap().bytes, [3; 1500]);
    }

    #[test]
    fn what_was_sent_is_forgotten_and_the_rest_keeps_its_place() {
        let mut backlog = Backlog::default();
        push(&mut backlog, &[1; 100], 100);
        push(&mut backlog, &[2; 300], 100);
        backlog.advance(Cursor::at(1, 100));
        assert_eq!(backlog.get(0).unwrap().bytes, [2; 200]);
        backlog.advance(Cursor::at(1, 0));
        assert!(backlog.is_empty());
        assert_eq!((backlog.bytes(), backlog.waiting.capacity()), (0, 0));
    }
}
