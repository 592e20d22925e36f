//! What is known of each SSRC of the peer: which of its packets came.
//!
//! Knows SSRCs, windows and when each was last heard. Does not know packets: only what proved authentic gets here.
//! Invariant: sorted by SSRC, at most [`STREAMS_MAX`].

use std::time::Duration;

use crate::base::time::Time;
use crate::srtp::window::Window;

/// Streams of one transport, by SSRC. A sorted list without slack: a peer cannot make its look-up slow.
#[derive(Debug, Default)]
pub(super) struct Streams<const WORDS: usize> {
    streams: Vec<Stream<WORDS>>,
    /// When full: before this time no stream is idle long enough to make room.
    full_until: Time,
}

/// One stream.
#[derive(Debug)]
struct Stream<const WORDS: usize> {
    ssrc: u32,
    state: Box<State<WORDS>>,
}

#[derive(Debug)]
struct State<const WORDS: usize> {
    heard: Time,
    window: Window<WORDS>,
}

/// There are [`STREAMS_MAX`] streams, and all were heard lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<const WORDS: usize> Streams<WORDS> {
    /// What came of a stream, if anything did.
    pub(super) fn window(&self, ssrc: u32) -> Option<&Window<WORDS>> {
        let place = self.place(ssrc).ok()?;
        self.streams.get(place).map(|stream| &stream.state.window)
    }

    /// Notes an authentic packet. The first of an SSRC makes it known; the one that was silent longest makes room.
    pub(super) fn insert(&mut self, ssrc: u32, index: u64, now: Time) -> Result<(), Full> {
        match self.place(ssrc) {
            Ok(place) => {
                if let Some(stream) = self.streams.get_mut(place) {
                    stream.state.heard = now;
                    stream.state.window.insert(index);
                }
            }
            Err(_) => {
                self.make_room(now)?;
                let place = self.place(ssrc).unwrap_or_else(|place| place);
                let state = Box::new(State { heard: now, window: Window::new(index) });
                self.streams.insert(place, Stream { ssrc, state });
            }
        }
        Ok(())
    }

    /// Forgets a stream.
    pub(super) fn remove(&mut self, ssrc: u32) {
        if let Ok(place) = self.place(ssrc) {
            self.streams.remove(place);
        }
    }

    /// How many streams are known.
    pub(super) const fn len(&self) -> usize {
        self.streams.len()
    }

    fn place(&self, ssrc: u32) -> Result<usize, usize> {
        self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc)
    }

    fn make_room(&mut self, now: Time) -> Result<(), Full> {
        if self.streams.len() < STREAMS_MAX {
            // A transport has a handful: no slack for more than that.
            if self.streams.len() == self.streams.capacity() {
                self.streams.reserve_exact(self.streams.len().clamp(1, 32));
            }
            return Ok(());
        }
        if now < self.full_until {
            return Err(Full);
        }
        let oldest = self.streams.iter().min_by_key(|stream| stream.state.heard);
        let Some((ssrc, heard)) = oldest.map(|oldest| (oldest.ssrc, oldest.state.heard)) else {
            return Ok(());
        };
        if now.since(heard) < IDLE_BEFORE_EVICTION {
            self.full_until = heard + IDLE_BEFORE_EVICTION;
            return Err(Full);
        }
        self.remove(ssrc);
        Ok(())
    }
}

/// Streams whose packets are told apart, for RTP and for RTCP each. Only the peer itself, who has the key, can make
/// that many.
pub const STREAMS_MAX: usize = 1_024;
/// When there are so many, one that was silent for this long makes room for a new one; a new one is refused otherwise.
pub const IDLE_BEFORE_EVICTION: Duration = Duration::from_secs(60);

const _: () = assert!(size_of::<State<16>>() == 144 && size_of::<State<2>>() == 32);
const _: () = assert!(size_of::<Stream<16>>() == 16 && size_of::<Streams<16>>() == 32);

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn each_ssrc_has_a_window_of_its_own() {
        let mut streams = Streams::<16>::default();
        for ssrc in [9, 3, 7] {
            streams.insert(ssrc, u64::from(ssrc) * 100, second(0)).unwrap();
        }
        streams.insert(3, 301, second(1)).unwrap();
        assert_eq!([3, 7, 9].map(|ssrc| streams.window(ssrc).unwrap().newest()), [301, 700, 900]);
        assert!(streams.window(8).is_none());
        streams.remove(7);
        assert_eq!((streams.window(7).is_none(), streams.len()), (true, 2));
    }

    #[test]
    fn the_longest_silent_makes_room_after_a_minute_and_not_before() {
        let mut streams = Streams::<2>::default();
        for ssrc in (0..).take(STREAMS_MAX) {
            streams.insert(ssrc, 1, second(0)).unwrap();
        }
        for ssrc in (1..).take(STREAMS_MAX - 1) {
            streams.insert(ssrc, 2, second(30)).unwrap();
        }
        assert_eq!(streams.insert(5_000, 1, second(59)), Err(Full));
        assert!(streams.window(5_000).is_none() && streams.window(0).is_some());
        streams.insert(5_000, 1, second(60)).unwrap();
        assert!(streams.window(5_000).is_some() && streams.window(0).is_none());
        assert_eq!(streams.insert(5_001, 1, second(89)), Err(Full));
        streams.insert(5_001, 1, second(90)).unwrap();
        assert_eq!(streams.len(), STREAMS_MAX);
    }
}
