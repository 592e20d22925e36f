//! How much one stream carries: packets and bytes since its start, and its rate over the last seconds.
//!
//! Knows sizes and times. Does not know what the bytes are, or who reads the figures. Called once per packet by
//! producers (per receive stream) and consumers (per sent packet).
//! Invariant: counters never go back; the rate of a stream silent for its window is zero.

use std::time::Duration;

use crate::base::rate::Rate;
use crate::base::time::Time;

/// Counters and rate of one stream in one direction.
#[derive(Clone, Debug)]
pub struct Bitrate {
    packets: u64,
    bytes: u64,
    last_at: Option<Time>,
    rate: Rate,
}

const _: () = assert!(size_of::<Bitrate>() <= 128);

impl Bitrate {
    /// A stream that has carried nothing; `window` is [`WINDOW`] or [`WINDOW_DTX`].
    pub fn new(window: Duration) -> Self {
        Self { packets: 0, bytes: 0, last_at: None, rate: Rate::new(window) }
    }

    /// Counts a packet.
    pub fn add(&mut self, now: Time, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.last_at = Some(now);
        self.rate.add(now, bytes);
    }

    /// Packets since the start.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes since the start, as told to [`add`](Self::add).
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bits per second over the window that ends now.
    pub fn bits_per_second(&self, now: Time) -> u64 {
        self.rate.bits_per_second(now)
    }

    /// When the last packet was counted.
    pub const fn last_at(&self) -> Option<Time> {
        self.last_at
    }

    /// Takes `now` for the time of the last packet, if there was one.
    pub fn touch(&mut self, now: Time) {
        self.last_at = self.last_at.map(|_| now);
    }
}

/// Window of a stream's rate.
pub const WINDOW: Duration = Duration::from_millis(2_500);
/// Window of a stream that may send nothing for seconds (discontinuous transmission).
pub const WINDOW_DTX: Duration = Duration::from_millis(6_000);
/// A stream without a packet for this long is inactive.
pub const INACTIVE_AFTER: Duration = Duration::from_millis(1_500);
/// The same for discontinuous transmission.
pub const INACTIVE_AFTER_DTX: Duration = Duration::from_millis(5_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stay_and_the_rate_goes() {
        let mut bitrate = Bitrate::new(WINDOW);
        bitrate.touch(Time::from_millis(7));
        assert_eq!(bitrate.last_at(), None, "nothing came yet");
        for at in (0..5_000).step_by(10) {
            bitrate.add(Time::from_millis(at), 1_250);
        }
        assert_eq!((bitrate.packets(), bitrate.bytes()), (500, 625_000));
        assert_eq!(bitrate.last_at(), Some(Time::from_millis(4_990)));
        let rate = bitrate.bits_per_second(Time::from_millis(4_990));
        assert!((950_000..=1_050_000).contains(&rate), "{rate}");
        assert_eq!(bitrate.bits_per_second(Time::from_millis(4_990 + 6_000)), 0);
        assert_eq!(bitrate.bytes(), 625_000);
        bitrate.touch(Time::from_millis(7_000));
        assert_eq!((bitrate.last_at(), bitrate.packets()), (Some(Time::from_millis(7_000)), 500));
    }
}
