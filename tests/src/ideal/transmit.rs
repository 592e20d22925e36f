//! Sends runs of packets to many destinations: header rewritten, payload gathered by the kernel from where it was read.
//!
//! Knows sendmmsg, GSO (UDP_SEGMENT) and RTP padding (RFC 3550 5.1). Does not know when packets came. Called by the
//! forwarder and by the self-check.
//! Its invariant: messages of one call go to one socket and have one segment size, since this safe interface gives all
//! messages of a call the same control messages.

use std::io::{self, IoSlice};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};

use super::Counters;
use crate::traffic::media::RTP_HEADER_BYTES;

/// Where one stream goes, in the kernel's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    pub(super) socket: usize,
    pub(super) to: SockaddrIn,
    pub(super) ssrc: u32,
}

/// Packets that leave as one message: of one size, but the last may be shorter.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Which packets of the run.
    first: usize,
    count: usize,
    /// Bytes of each but the last, padding included.
    segment_bytes: usize,
    /// Bytes of all together.
    bytes: usize,
    /// Whether shorter ones are padded to the segment's size.
    padded: bool,
}

/// How packets become messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// Each packet by itself.
    Single,
    /// Equal sizes together.
    Equal,
    /// Nearly equal sizes together, padded.
    Padded,
}

/// Messages under construction, and what the kernel needs to send them.
#[derive(Debug)]
pub(super) struct Transmitter {
    single_headers: MultiHeaders<SockaddrIn>,
    gso_headers: MultiHeaders<SockaddrIn>,
    pub(super) counters: Counters,
}

impl Transmitter {
    pub(super) fn new() -> Self {
        Self {
            single_headers: MultiHeaders::preallocate(MESSAGES, None),
            gso_headers: MultiHeaders::preallocate(MESSAGES, Some(cmsg_space!(u16))),
            counters: Counters::default(),
        }
    }

    /// Sends the packets of a run, all of one stream, to all its destinations.
    ///
    /// # Errors
    /// A socket fails for another reason than a full buffer or an absent peer.
    pub(super) fn send_run(
        &mut self,
        sockets: &[UdpSocket],
        run: &[&[u8]],
        destinations: &[Destination],
        grouping: Grouping,
    ) -> io::Result<()> {
        let shares_socket = sockets.len() == 1;
        let groups = groups(run, grouping);
        // With one socket, messages of one size to all destinations share a call; with a socket for each, all
        // messages of one destination do. Both keep the order which a destination sees.
        if shares_socket {
            for group in groups.chunk_by(|one, other| one.segment_bytes == other.segment_bytes) {
                self.send_calls(sockets, run, group, destinations)?;
            }
            return Ok(());
        }
        for destination in destinations {
            for group in groups.chunk_by(|one, other| one.segment_bytes == other.segment_bytes) {
                self.send_calls(sockets, run, group, std::slice::from_ref(destination))?;
            }
        }
        Ok(())
    }

    /// Sends groups of one segment size to destinations of one socket, 64 messages a call.
    fn send_calls(
        &mut self,
        sockets: &[UdpSocket],
        run: &[&[u8]],
        groups: &[Group],
        destinations: &[Destination],
    ) -> io::Result<()> {
        let messages: Vec<(&Destination, &Group)> =
            destinations.iter().flat_map(|to| groups.iter().map(move |group| (to, group))).collect();
        let Some(socket) = destinations.first().and_then(|first| sockets.get(first.socket)) else {
            return Ok(());
        };
        messages.chunks(MESSAGES).try_for_each(|messages| self.send_call(socket, run, messages))
    }

    fn send_call(
        &mut self,
        socket: &UdpSocket,
        run: &[&[u8]],
        messages: &[(&Destination, &Group)],
    ) -> io::Result<()> {
        let mut rtp_headers = Vec::with_capacity(messages.iter().map(|(_, group)| group.count).sum());
        for (destination, group) in messages {
            for packet in group.packets(run) {
                rtp_headers.push(rewritten(packet, destination.ssrc, group.padding(packet) > 0));
            }
        }
        let mut slices = Vec::with_capacity(rtp_headers.len() * 3);
        let mut ends = [0; MESSAGES];
        let mut to = [None; MESSAGES];
        let mut rtp_header = rtp_headers.iter();
        for (index, (destination, group)) in messages.iter().enumerate() {
            for (packet, header) in group.packets(run).zip(&mut rtp_header) {
                slices.push(IoSlice::new(header));
                slices.push(IoSlice::new(&packet[RTP_HEADER_BYTES..]));
                match group.padding(packet) {
                    0 => {}
                    padding => slices.push(IoSlice::new(&PADDING[padding][PADDING_MAX - padding..])),
                }
            }
            ends[index] = slices.len();
            to[index] = Some(destination.to);
        }
        let mut start = 0;
        let mut parts: [&[IoSlice<'_>]; MESSAGES] = [&[]; MESSAGES];
        for (part, end) in parts.iter_mut().zip(&ends[..messages.len()]) {
            *part = &slices[start..*end];
            start = *end;
        }
        self.hand_over(socket, messages, &parts[..messages.len()], &to)
    }

    fn hand_over(
        &mut self,
        socket: &UdpSocket,
        messages: &[(&Destination, &Group)],
        parts: &[&[IoSlice<'_>]],
        to: &[Option<SockaddrIn>; MESSAGES],
    ) -> io::Result<()> {
        let is_gso = messages.iter().any(|(_, group)| group.count > 1);
        let segment_bytes = messages.first().map_or(0, |(_, group)| group.segment_bytes);
        let segment_bytes = u16::try_from(segment_bytes).map_err(io::Error::other)?;
        let control = [ControlMessage::UdpGsoSegments(&segment_bytes)];
        let control = if is_gso { &control[..] } else { &[] };
        let headers = if is_gso { &mut self.gso_headers } else { &mut self.single_headers };
        let mut done = 0;
        while done < messages.len() {
            self.counters.send_calls += 1;
            let (rest, rest_to) = (&parts[done..], &to[done..]);
            match sendmmsg(socket.as_raw_fd(), headers, rest, rest_to, control, MsgFlags::MSG_DONTWAIT) {
                Ok(sent) => {
                    let sent = sent.count();
                    for (_, group) in &messages[done..done + sent] {
                        self.counters.messages += 1;
                        self.counters.sent += group.count as u64;
                    }
                    done += sent;
                }
                Err(Errno::EAGAIN | Errno::ECONNREFUSED | Errno::ENOBUFS) => {
                    self.counters.refused += messages[done].1.count as u64;
                    done += 1;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl Group {
    fn packets<'a>(&self, run: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        run[self.first..self.first + self.count].iter().copied()
    }

    fn padding(&self, packet: &[u8]) -> usize {
        if self.padded { self.segment_bytes - packet.len() } else { 0 }
    }
}

/// Cuts a run into messages.
fn groups(run: &[&[u8]], grouping: Grouping) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(run.len());
    for (index, packet) in run.iter().enumerate() {
        let joined = groups.last_mut().is_some_and(|group| match grouping {
            Grouping::Single => false,
            Grouping::Equal => group.join_equal(packet.len()),
            Grouping::Padded => group.join_padded(&run[group.first..index], packet.len()),
        });
        if !joined {
            let bytes = packet.len();
            groups.push(Group { first: index, count: 1, segment_bytes: bytes, bytes, padded: false });
        }
    }
    groups
}

impl Group {
    fn is_full(&self, bytes: usize) -> bool {
        self.count == SEGMENTS_MAX || bytes > MESSAGE_BYTES_MAX
    }

    /// Joins a packet that is not longer, unless a shorter one has ended the group.
    fn join_equal(&mut self, bytes: usize) -> bool {
        let is_ended = self.bytes < self.count * self.segment_bytes;
        if is_ended || bytes > self.segment_bytes || self.is_full(self.bytes + bytes) {
            return false;
        }
        self.count += 1;
        self.bytes += bytes;
        true
    }

    /// Joins a packet if all can be padded to the longest one's size.
    fn join_padded(&mut self, members: &[&[u8]], bytes: usize) -> bool {
        let shortest = members.iter().map(|packet| packet.len()).min().unwrap_or(bytes).min(bytes);
        let longest = self.segment_bytes.max(bytes);
        if longest - shortest > PADDING_MAX || self.is_full(longest * (self.count + 1)) {
            return false;
        }
        self.count += 1;
        self.segment_bytes = longest;
        self.bytes = longest * self.count;
        self.padded = longest != shortest;
        true
    }
}

/// The first 12 bytes of the copy: another SSRC, and the padding bit.
fn rewritten(packet: &[u8], ssrc: u32, padded: bool) -> [u8; RTP_HEADER_BYTES] {
    let mut header = [0; RTP_HEADER_BYTES];
    header.copy_from_slice(&packet[..RTP_HEADER_BYTES]);
    header[0] |= if padded { 0x20 } else { 0 };
    header[8..].copy_from_slice(&ssrc.to_be_bytes());
    header
}

/// What may be added to a packet to equal the longest of its group.
const PADDING_MAX: usize = 16;
/// Padding of each length: zeros, and the length in the last byte (the slice is cut from the end).
static PADDING: [[u8; PADDING_MAX]; PADDING_MAX + 1] = {
    let mut all = [[0; PADDING_MAX]; PADDING_MAX + 1];
    let mut length = 0;
    while length <= PADDING_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "at most 16")]
        let byte = length as u8;
        all[length][PADDING_MAX - 1] = byte;
        length += 1;
    }
    all
};
const MESSAGES: usize = 64;
const SEGMENTS_MAX: usize = 64; // what older kernels allow (UDP_MAX_SEGMENTS)
const MESSAGE_BYTES_MAX: usize = 65_507;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(run: &[usize], grouping: Grouping) -> Vec<(usize, usize, usize)> {
        let packets: Vec<Vec<u8>> = run.iter().map(|bytes| vec![0x80; *bytes]).collect();
        let run: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        groups(&run, grouping).iter().map(|group| (group.count, group.segment_bytes, group.bytes)).collect()
    }

    #[test]
    fn equal_sizes_are_one_message_and_only_the_last_may_be_shorter() {
        assert_eq!(sizes(&[1_000; 3], Grouping::Single).len(), 3);
        assert_eq!(
            sizes(&[1_000, 1_000, 900, 1_000], Grouping::Equal),
            [(3, 1_000, 2_900), (1, 1_000, 1_000)]
        );
        assert_eq!(sizes(&[900, 1_000], Grouping::Equal), [(1, 900, 900), (1, 1_000, 1_000)]);
    }

    #[test]
    fn sizes_that_differ_by_a_little_are_padded_to_the_longest() {
        assert_eq!(sizes(&[1_000, 1_003, 1_001], Grouping::Padded), [(3, 1_003, 3_009)]);
        assert_eq!(sizes(&[1_000, 1_016, 1_000], Grouping::Padded), [(3, 1_016, 3_048)]);
        assert_eq!(sizes(&[1_000, 1_010, 1_020], Grouping::Padded), [(2, 1_010, 2_020), (1, 1_020, 1_020)]);
    }

    #[test]
    fn a_message_has_at_most_64_segments_and_fits_into_a_datagram() {
        assert_eq!(sizes(&[100; 100], Grouping::Equal), [(64, 100, 6_400), (36, 100, 3_600)]);
        assert_eq!(sizes(&[1_400; 50], Grouping::Padded)[0], (46, 1_400, 64_400));
    }

    #[test]
    fn padding_ends_with_its_own_length() {
        for (length, padding) in PADDING.iter().enumerate().skip(1) {
            assert_eq!(usize::from(padding[PADDING_MAX - 1]), length);
        }
        assert_eq!(rewritten(&[0x80; 20], 7, true)[..1], [0xA0]);
    }
}
