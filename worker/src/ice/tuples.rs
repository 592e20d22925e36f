//! The proven ways between a transport and its peer, of which one is selected.
//!
//! Knows addresses. Does not know how a way is proven. Called by `IceLite`.
//! Invariant: at most [`TUPLES_MAX`], all different; when there are any, one of them is selected.

use std::time::Duration;

use tidegate_protocol::transport::Protocol;

use crate::base::address::{Destination, SocketKey};
use crate::base::bounded::Bounded;
use crate::base::time::Time;

/// One way: a socket of ours with the address on which the peer called, the protocol, and the peer's address. All of it
/// counts: the same peer may call two addresses of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Our end and the peer's. For TCP the socket is the connection.
    pub path: Destination,
    /// UDP or TCP.
    pub protocol: Protocol,
}

/// The ways of one transport, oldest first.
#[derive(Debug, Default)]
pub struct Tuples {
    entries: Bounded<Entry, TUPLES_MAX>,
    selected: u8,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tuple: Tuple,
    /// When another one was selected in its place.
    left_at: Option<Time>,
}

impl Tuples {
    /// All of them, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tuple> {
        self.entries.iter().map(|entry| &entry.tuple)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The one that is used; `None` only when there are none.
    pub fn selected(&self) -> Option<&Tuple> {
        self.entries.get(usize::from(self.selected)).map(|entry| &entry.tuple)
    }

    /// Whether `tuple` is one of them.
    pub fn contains(&self, tuple: &Tuple) -> bool {
        self.place(tuple).is_some()
    }

    /// Adds one that is not there yet. When there are too many, the oldest that is not selected goes and is answered.
    pub(super) fn add(&mut self, tuple: Tuple) -> Option<Tuple> {
        debug_assert!(!self.contains(&tuple), "each way is there once");
        let removed = if self.entries.is_full() {
            let oldest = usize::from(self.selected == 0);
            self.take(oldest)
        } else {
            None
        };
        let added = self.entries.push(Entry { tuple, left_at: None });
        debug_assert!(added.is_ok(), "one was removed for it");
        removed
    }

    /// Makes `tuple` the one that is used; `true` when it was another one. One that is not there changes nothing.
    pub(super) fn select(&mut self, tuple: &Tuple, now: Time) -> bool {
        let Some(place) = self.place(tuple).filter(|place| *place != self.selected) else { return false };
        if let Some(left) = self.entries.get_mut(usize::from(self.selected)) {
            left.left_at = Some(now);
        }
        self.selected = place;
        true
    }

    /// Whether `tuple` was given up for another one so recently that what it brings may be a late straggler.
    pub(super) fn was_just_left(&self, tuple: &Tuple, now: Time) -> bool {
        let entry = self.place(tuple).and_then(|place| self.entries.get(usize::from(place)));
        entry.and_then(|entry| entry.left_at).is_some_and(|left_at| now.since(left_at) < STRAGGLERS_TIME)
    }

    /// Removes one; when it was the selected one, the newest becomes that.
    pub(super) fn remove(&mut self, tuple: &Tuple) -> Option<Tuple> {
        let place = self.place(tuple)?;
        self.take(usize::from(place))
    }

    /// The tuple of a connection.
    pub(super) fn of_socket(&self, socket: SocketKey) -> Option<&Tuple> {
        self.iter().find(|tuple| tuple.path.socket == socket)
    }

    fn take(&mut self, place: usize) -> Option<Tuple> {
        let removed = self.entries.remove(place)?;
        match usize::from(self.selected) {
            selected if selected == place => {
                self.selected = u8::try_from(self.entries.len().saturating_sub(1)).unwrap_or(0);
            }
            selected if selected > place => self.selected -= 1,
            _ => {}
        }
        Some(removed.tuple)
    }

    fn place(&self, tuple: &Tuple) -> Option<u8> {
        if self.selected() == Some(tuple) {
            return Some(self.selected);
        }
        let place = self.entries.iter().position(|entry| entry.tuple == *tuple)?;
        u8::try_from(place).ok()
    }
}

/// Proven ways of one transport, and so TCP connections of one.
pub const TUPLES_MAX: usize = 8;

/// What a network may reorder: for so long after a change, data on the way that was left does not change it back.
const STRAGGLERS_TIME: Duration = Duration::from_millis(250);

const _: () = assert!(TUPLES_MAX <= u8::MAX as usize && TUPLES_MAX >= 2);
const _: () = assert!(size_of::<Tuple>() <= 72 && size_of::<Entry>() <= 88 && size_of::<Tuples>() == 32);

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(port: u16) -> Tuple {
        let remote = ([192, 0, 2, 1], port).into();
        let path = Destination { socket: SocketKey::new(0, 1), remote, local_ip: None };
        Tuple { path, protocol: Protocol::Udp }
    }

    fn ports(tuples: &Tuples) -> Vec<u16> {
        tuples.iter().map(|tuple| tuple.path.remote.port()).collect()
    }

    #[test]
    fn the_ninth_displaces_the_oldest_that_is_not_selected() {
        let mut tuples = Tuples::default();
        for port in 1..=8 {
            assert_eq!(tuples.add(tuple(port)), None);
        }
        assert_eq!(tuples.selected(), Some(&tuple(1)));
        assert_eq!(tuples.add(tuple(9)), Some(tuple(2)));
        assert_eq!(ports(&tuples), [1, 3, 4, 5, 6, 7, 8, 9]);
        assert!(tuples.select(&tuple(5), Time::ZERO) && !tuples.select(&tuple(5), Time::ZERO));
        assert_eq!(tuples.add(tuple(10)), Some(tuple(1)));
        assert_eq!(tuples.selected(), Some(&tuple(5)));
    }

    #[test]
    fn when_the_selected_one_goes_the_newest_takes_its_place() {
        let mut tuples = Tuples::default();
        for port in 1..=4 {
            tuples.add(tuple(port));
        }
        tuples.select(&tuple(3), Time::ZERO);
        assert_eq!(tuples.remove(&tuple(1)), Some(tuple(1)));
        assert_eq!(tuples.selected(), Some(&tuple(3)));
        assert_eq!(tuples.remove(&tuple(3)), Some(tuple(3)));
        assert_eq!(tuples.selected(), Some(&tuple(4)));
        assert_eq!(tuples.remove(&tuple(3)), None);
        tuples.remove(&tuple(4));
        assert_eq!(tuples.selected(), Some(&tuple(2)));
        tuples.remove(&tuple(2));
        assert!(tuples.is_empty() && tuples.selected().is_none());
    }

    #[test]
    fn ways_differ_in_each_of_their_parts() {
        let one = tuple(1);
        let others = [
            Tuple { protocol: Protocol::Tcp, ..one },
            Tuple { path: Destination { socket: SocketKey::new(1, 1), ..one.path }, ..one },
            Tuple { path: Destination { local_ip: Some([192, 0, 2, 9].into()), ..one.path }, ..one },
            Tuple { path: Destination { remote: ([192, 0, 2, 2], 1).into(), ..one.path }, ..one },
            tuple(2),
        ];
        let mut tuples = Tuples::default();
        tuples.add(one);
        for other in others {
            assert!(!tuples.contains(&other), "{other:?}");
            tuples.add(other);
        }
        assert_eq!(tuples.len(), 6);
    }
}
