//! Datagrams on their way, in the order of their arrival.
//!
//! Knows times and parcels. Does not know why one takes longer than another. Used by `SimulatedNetwork`, once for each
//! direction. Invariant: parcels that arrive at one time land in the order in which they were sent.
//!
//! The heap holds 24 bytes a parcel; the parcel itself stays where it was put, and its bytes are used again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use tidegate_worker::base::time::Time;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// Which peer it comes from or goes to.
    pub(super) peer: u32,
    /// The worker's address at which it arrives or from which it left.
    pub(super) worker: SocketAddr,
    pub(super) sent_at: Time,
    /// A second arrival of the same datagram.
    pub(super) is_copy: bool,
    /// What its sender wants to know it by.
    pub(super) tag: Option<Tag>,
    pub(super) bytes: Vec<u8>,
}

/// A source's packet, by which the bed knows when the worker got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Which source.
    pub source: u32,
    /// Its packet.
    pub number: u32,
}

/// Parcels by time of arrival.
#[derive(Debug, Default)]
pub(super) struct Flights {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    parcels: Vec<Parcel>,
    /// Places in `parcels` whose parcel has landed; its bytes are those to use next.
    free: Vec<u32>,
    launched: u64,
}

impl Flights {
    /// Sends a parcel that lands at `at`, with a copy of `bytes`; those that `parcel` has are not looked at.
    pub(super) fn launch(&mut self, at: Time, mut parcel: Parcel, bytes: &[u8]) {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.parcels.push(parcel.clone());
                u32::try_from(self.parcels.len() - 1).expect("fewer than 2^32 parcels")
            }
        };
        let slot = &mut self.parcels[place as usize];
        parcel.bytes = std::mem::take(&mut slot.bytes);
        parcel.bytes.clear();
        parcel.bytes.extend_from_slice(bytes);
        *slot = parcel;
        self.heap.push(Reverse((at, self.launched, place)));
        self.launched += 1;
    }

    /// When the next one lands.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The first parcel that has landed by `now`, and when. Its bytes should be given [back](Self::recycle).
    pub(super) fn land(&mut self, now: Time) -> Option<(Time, Parcel)> {
        let Reverse((at, ..)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        let slot = &mut self.parcels[place as usize];
        let bytes = std::mem::take(&mut slot.bytes);
        Some((at, Parcel { bytes, ..*slot }))
    }

    /// Gives the bytes of a landed parcel back for the next one.
    pub(super) fn recycle(&mut self, bytes: Vec<u8>) {
        if let Some(place) = self.free.last() {
            self.parcels[*place as usize].bytes = bytes;
        }
    }

    /// How many are on their way.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: u32) -> Parcel {
        let worker = SocketAddr::from(([127, 0, 0, 1], 1));
        let tag = Some(Tag { source: 0, number });
        Parcel { peer: 0, worker, sent_at: Time::ZERO, is_copy: false, tag, bytes: Vec::new() }
    }

    #[test]
    fn parcels_land_in_the_order_of_time_and_then_of_sending() {
        let mut flights = Flights::default();
        for (number, at) in [(0, 5), (1, 3), (2, 5), (3, 3)] {
            flights.launch(Time::from_millis(at), parcel(number), &number.to_be_bytes());
        }
        assert_eq!((flights.next(), flights.len()), (Some(Time::from_millis(3)), 4));
        assert!(flights.land(Time::from_millis(2)).is_none());
        let mut landed = Vec::new();
        while let Some((at, parcel)) = flights.land(Time::from_millis(9)) {
            let number = parcel.tag.map(|tag| tag.number);
            assert_eq!(Some(u32::from_be_bytes(parcel.bytes.as_slice().try_into().unwrap())), number);
            landed.push((at.as_millis(), number.unwrap()));
            flights.recycle(parcel.bytes);
        }
        assert_eq!(landed, [(3, 1), (3, 3), (5, 0), (5, 2)]);
    }
}
