//! Packets, bytes and their rate in one direction.

use std::time::Duration;

use tidegate_protocol::stats::Traffic;

use crate::base::rate::Rate;
use crate::base::time::Time;

/// Counts what passes.
#[derive(Debug)]
pub(crate) struct TrafficCounter {
    packets: u64,
    bytes: u64,
    rate: Rate,
}

impl TrafficCounter {
    /// With its rate over the last `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { packets: 0, bytes: 0, rate: Rate::new(window) }
    }

    pub(crate) fn add(&mut self, now: Time, packets: u64, bytes: u64) {
        self.packets += packets;
        self.bytes += bytes;
        self.rate.add(now, usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn bits_per_second(&self, now: Time) -> u64 {
        self.rate.bits_per_second(now)
    }

    pub(crate) fn stats(&self, now: Time) -> Traffic {
        Traffic { packets: self.packets, bytes: self.bytes, bitrate: self.bits_per_second(now) }
    }
}
