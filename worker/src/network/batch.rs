//! The send arena: datagrams written one behind the other, and the messages that they make up.
//!
//! Packets of one size to one destination that stand next to each other become one message, which the kernel cuts
//! again (UDP_SEGMENT, "GSO"); this is the one big lever on the cost of sending (2.65 us a packet alone, a seventh of
//! it in eights). Knows GSO's rules and bytes. Does not know sockets or what the bytes mean. Filled by the outbox,
//! emptied by [`Network::send`](super::Network::send).
//! Invariant: messages lie in the arena in order, without gaps, and each obeys the rules of UDP_SEGMENT.

use super::Destination;
use crate::base::time::Time;
use std::time::Duration;

/// Size of the send arena in bytes: some 200 full-size packets, small enough to stay in a core's second-level cache.
pub const ARENA_BYTES: usize = 256 * 1024;

/// Messages in one batch. One sendmmsg takes 64 (more gains nothing); twice that leaves room for two sockets.
pub const MESSAGES_MAX: usize = 128;

/// Segments in one message: UDP_MAX_SEGMENTS was 64 in the kernels from 4.18 on; newer ones take 128.
pub const SEGMENTS_MAX: u16 = 64;

/// Bytes in one message: the most that an IPv4 datagram carries (65,535 less 20 of IP header and 8 of UDP header).
pub const UDP_PAYLOAD_MAX: usize = 65_507;

/// One or more datagrams of one size to one destination; only the last may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where all of them go.
    pub to: Destination,
    start: u32,
    bytes: u32,
    segment_bytes: u16,
    segments: u16,
    content: Content,
}

/// What a datagram is worth when there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A packet of video: the first to be given up where a connection's queue is full, for it can be asked again.
    Video,
    /// Audio, RTCP, STUN, DTLS.
    Other,
}

impl Message {
    /// Bytes of all its datagrams, 1..=[`UDP_PAYLOAD_MAX`].
    pub const fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Bytes of each datagram but the last one. Equal to [`bytes`](Self::bytes) when there is only one.
    pub const fn segment_bytes(&self) -> u16 {
        self.segment_bytes
    }

    /// How many datagrams it is, 1..=[`SEGMENTS_MAX`].
    pub const fn segments(&self) -> u16 {
        self.segments
    }

    /// What all of them are.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// Whether a datagram of `bytes` to `to` may become its last segment.
    fn admits(&self, to: &Destination, bytes: u16, content: Content) -> bool {
        let whole_segments = self.bytes == u32::from(self.segments) * u32::from(self.segment_bytes);
        whole_segments
            && bytes <= self.segment_bytes
            && self.segments < SEGMENTS_MAX
            && self.bytes() + usize::from(bytes) <= UDP_PAYLOAD_MAX
            && self.content == content
            && self.to == *to
    }
}

/// Datagrams that leave together.
///
/// Write one with [`reserve`](Self::reserve) and [`commit`](Self::commit). When `reserve` answers `None` the batch is
/// full: send it and reserve again.
#[derive(Debug, Default)]
pub struct SendBatch {
    /// Empty until first used, and again when long unused: 256 KiB is more than half of an idle worker.
    arena: Vec<u8>,
    used: usize,
    messages: Vec<Message>,
    used_since_reclaim: bool,
    idle_since: Option<Time>,
}

impl SendBatch {
    /// An empty batch, which holds no memory yet.
    pub const fn new() -> Self {
        Self { arena: Vec::new(), used: 0, messages: Vec::new(), used_since_reclaim: false, idle_since: None }
    }

    /// Whether a datagram of `bytes` can be reserved before what is there is sent.
    #[inline]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.messages.len() < MESSAGES_MAX && bytes.max(1) <= ARENA_BYTES - self.used
    }

    /// Room for a datagram of up to `bytes`, to be written and then committed. `None`: the batch is full, send it first.
    /// More than [`UDP_PAYLOAD_MAX`] bytes are never given. What was reserved before and not committed is forgotten.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if bytes > UDP_PAYLOAD_MAX || !self.has_room(bytes) {
            return None;
        }
        if self.arena.is_empty() {
            self.take_memory();
        }
        self.arena.get_mut(self.used..self.used + bytes)
    }

    #[cold]
    fn take_memory(&mut self) {
        self.arena = vec![0; ARENA_BYTES];
        self.messages.reserve_exact(MESSAGES_MAX);
    }

    /// Makes the first `bytes` bytes of what was just reserved a datagram to `to`: another segment of the message
    /// before when it fits there, a message of its own otherwise. Zero bytes are no datagram.
    pub fn commit(&mut self, to: Destination, bytes: usize) {
        self.commit_as(Content::Other, &to, bytes);
    }

    /// [`Self::commit`] of a datagram that is so much worth.
    pub fn commit_as(&mut self, content: Content, to: &Destination, bytes: usize) {
        debug_assert!(self.used + bytes <= self.arena.len() && !self.is_full(), "commit without reserve");
        let Ok(segment_bytes) = u16::try_from(bytes) else { return };
        if segment_bytes == 0 || self.used + bytes > self.arena.len() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.admits(to, segment_bytes, content) => {
                last.bytes += u32::from(segment_bytes);
                last.segments += 1;
            }
            _ => self.messages.push(Message {
                to: *to,
                start: u32::try_from(self.used).unwrap_or(u32::MAX),
                bytes: u32::from(segment_bytes),
                segment_bytes,
                segments: 1,
                content,
            }),
        }
        self.used += bytes;
        self.used_since_reclaim = true;
    }

    /// Copies a finished datagram in. `false`: the batch is full (or the datagram too long), nothing was taken.
    #[must_use]
    pub fn push(&mut self, to: Destination, datagram: &[u8]) -> bool {
        let Some(room) = self.reserve(datagram.len()) else { return false };
        room.copy_from_slice(datagram);
        self.commit(to, datagram.len());
        true
    }

    /// Whether no further datagram can be committed, however short.
    pub fn is_full(&self) -> bool {
        self.messages.len() >= MESSAGES_MAX || self.used >= ARENA_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages in the order in which they were written.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The bytes of one of this batch's messages: its datagrams, one behind the other.
    pub fn bytes(&self, message: &Message) -> &[u8] {
        let start = message.start as usize;
        self.arena.get(start..start + message.bytes()).unwrap_or_default()
    }

    /// Every datagram in the order in which it was written, as if there were no GSO.
    pub fn datagrams(&self) -> impl Iterator<Item = (&Destination, &[u8])> {
        self.messages.iter().flat_map(|message| {
            self.bytes(message)
                .chunks(usize::from(message.segment_bytes).max(1))
                .map(move |datagram| (&message.to, datagram))
        })
    }

    /// Forgets all datagrams; keeps the memory.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.used = 0;
    }

    /// Bytes of memory held now: counts against packet memory.
    pub fn held_bytes(&self) -> usize {
        self.arena.capacity() + self.messages.capacity() * size_of::<Message>()
    }

    /// Gives the memory back once nothing was sent for 5 s. To be called about once a second.
    pub fn reclaim(&mut self, now: Time) {
        if self.used_since_reclaim || !self.is_empty() {
            self.used_since_reclaim = false;
            self.idle_since = None;
            return;
        }
        let idle_since = *self.idle_since.get_or_insert(now);
        if now.since(idle_since) >= IDLE_BEFORE_RECLAIM {
            *self = Self::new();
        }
    }
}

const IDLE_BEFORE_RECLAIM: Duration = Duration::from_secs(5);

const _: () = assert!(UDP_PAYLOAD_MAX <= u16::MAX as usize && UDP_PAYLOAD_MAX < ARENA_BYTES);
const _: () = assert!(ARENA_BYTES < u32::MAX as usize);
const _: () = assert!(size_of::<Message>() <= 80);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::SocketKey;
    use std::net::{Ipv4Addr, SocketAddr};

    fn to(port: u16) -> Destination {
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Destination { socket: SocketKey::new(0, 0), remote, local_ip: None }
    }

    fn batch_of(datagrams: &[(u16, usize)]) -> SendBatch {
        let mut batch = SendBatch::new();
        for (number, (port, bytes)) in datagrams.iter().enumerate() {
            assert!(batch.push(to(*port), &vec![u8::try_from(number % 251).unwrap(); *bytes]));
        }
        batch
    }

    fn shape(batch: &SendBatch) -> Vec<(u16, usize, u16)> {
        batch.messages().iter().map(|m| (m.to.remote.port(), m.bytes(), m.segments())).collect()
    }

    #[test]
    fn equal_sizes_to_one_destination_are_one_message() {
        assert_eq!(shape(&batch_of(&[(1, 1100), (1, 1100), (1, 1100)])), [(1, 3300, 3)]);
    }

    #[test]
    fn a_shorter_datagram_ends_the_run() {
        let batch = batch_of(&[(1, 1100), (1, 1100), (1, 400), (1, 400), (1, 1100)]);
        assert_eq!(shape(&batch), [(1, 2600, 3), (1, 400, 1), (1, 1100, 1)]);
    }

    #[test]
    fn a_longer_datagram_begins_a_message() {
        assert_eq!(shape(&batch_of(&[(1, 400), (1, 401)])), [(1, 400, 1), (1, 401, 1)]);
    }

    #[test]
    fn another_destination_or_local_address_begins_a_message() {
        let mut batch = batch_of(&[(1, 100), (2, 100), (1, 100)]);
        let elsewhere = Destination { local_ip: Some(Ipv4Addr::LOCALHOST.into()), ..to(1) };
        assert!(batch.push(elsewhere, &[0; 100]));
        assert_eq!(batch.messages().len(), 4);
    }

    #[test]
    fn video_and_audio_are_not_one_message() {
        let mut batch = SendBatch::new();
        for content in [Content::Video, Content::Video, Content::Other] {
            batch.reserve(100).unwrap().fill(1);
            batch.commit_as(content, &to(1), 100);
        }
        let shape: Vec<_> = batch.messages().iter().map(|m| (m.content(), m.segments())).collect();
        assert_eq!(shape, [(Content::Video, 2), (Content::Other, 1)]);
    }

    #[test]
    fn a_message_never_exceeds_64_segments_nor_a_datagram_s_payload() {
        let small = batch_of(&[(1, 100); 65]);
        assert_eq!(shape(&small), [(1, 6400, 64), (1, 100, 1)]);
        let large = batch_of(&[(1, 1400); 50]);
        assert_eq!(shape(&large), [(1, 46 * 1400, 46), (1, 4 * 1400, 4)]);
    }

    #[test]
    fn datagrams_come_out_as_they_went_in() {
        let sizes = [(1, 900), (1, 900), (1, 10), (2, 10), (2, 10), (2, 11), (1, 1)];
        let batch = batch_of(&sizes);
        let out: Vec<_> = batch.datagrams().map(|(to, bytes)| (to.remote.port(), bytes.to_vec())).collect();
        assert_eq!(out.len(), sizes.len());
        for (number, ((port, bytes), (sent_port, sent))) in sizes.iter().zip(&out).enumerate() {
            assert_eq!((port, &vec![u8::try_from(number).unwrap(); *bytes]), (sent_port, sent));
        }
    }

    #[test]
    fn a_full_arena_or_message_list_refuses_until_cleared() {
        let mut batch = SendBatch::new();
        while batch.push(to(1), &[7; 1200]) {}
        assert!(batch.reserve(1200).is_none() && batch.reserve(8).is_some());
        batch.clear();
        let alternating = (0..u16::MAX).take_while(|n| batch.push(to(n % 2), &[1; 20])).count();
        assert_eq!(alternating, MESSAGES_MAX);
        assert!(batch.is_full());
        batch.clear();
        assert!(batch.is_empty() && batch.push(to(1), &[1]));
    }

    #[test]
    fn what_was_reserved_and_not_committed_leaves_no_trace() {
        let mut batch = SendBatch::new();
        batch.reserve(100).unwrap().fill(1);
        batch.reserve(100).unwrap().fill(2);
        batch.commit(to(1), 50);
        assert_eq!(batch.datagrams().map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>(), [vec![2; 50]]);
        assert!(batch.reserve(UDP_PAYLOAD_MAX + 1).is_none());
    }

    #[test]
    fn memory_goes_back_after_five_idle_seconds_and_not_before() {
        let mut batch = batch_of(&[(1, 100)]);
        batch.clear();
        batch.reclaim(Time::from_millis(0));
        batch.reclaim(Time::from_millis(1_000));
        batch.reclaim(Time::from_millis(5_900));
        assert!(batch.held_bytes() >= ARENA_BYTES);
        batch.reclaim(Time::from_millis(6_000));
        assert_eq!(batch.held_bytes(), 0);
        assert!(batch.push(to(1), &[1; 10]));
    }
}
