//! Whether the worker asked for everything that it missed.
//!
//! Knows what became of each packet on its way, and of each request. Does not send anything.
//! Invariant: a packet that is forgotten came, was asked for, or its request was lost, unless nobody had to ask.

use super::{Record, Source};
use crate::world::rtcp::Rtcp;

impl Source {
    /// Its producer is paused or is not any more: what is lost while it is, or is missing now, need not be asked for.
    pub fn excuse(&mut self, is_paused: bool) {
        self.is_excused = is_paused;
        self.records.iter_mut().for_each(|record| record.is_excused = true);
    }

    /// What the worker said was lost on its way: it cannot be blamed for not asking.
    pub(in crate::world) fn on_lost(&mut self, packets: &[Rtcp]) {
        for packet in packets {
            if let Rtcp::Nack { media, sequences, .. } = packet
                && *media == self.options.stream.ssrc
            {
                sequences.iter().for_each(|sequence| self.note_asked(*sequence));
            }
        }
    }

    /// The packet with this sequence number was asked for.
    pub(super) fn note_asked(&mut self, sequence: u16) {
        let newest = self.stats.packets.wrapping_sub(1);
        let behind = super::low(newest).wrapping_add(self.sequence_shift).wrapping_sub(sequence);
        let Some(number) = newest.checked_sub(behind.into()) else { return };
        let place = self.place(number);
        if let Some(record) = self.records.get_mut(place).filter(|record| record.number == number) {
            record.asked = record.asked.saturating_add(1);
        }
    }

    /// A packet is old enough to be forgotten.
    pub(super) fn forget(&mut self, record: &Record) {
        if !self.options.explains_losses || record.arrived_at.is_some() {
            return;
        }
        self.stats.never_came += 1;
        let is_missed = self.first_arrived.is_some_and(|first| first < record.number);
        let is_explained = record.asked > 0 || record.is_excused;
        assert!(is_explained || !is_missed, "the worker never asked for {record:?}");
    }
}
