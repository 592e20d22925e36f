//! Which transport a datagram on a socket of many transports is for: by its tuple, and for a first request by the
//! fragment in it.
//!
//! Knows tuples and username fragments. Does not know who is right: that shows when the transport's agent looks at the
//! request. Kept by a WebRTC server for its transports, from what their agents say of themselves.
//! Invariant: a tuple and a fragment have one owner each; an owner has as many as its agent has ways and credentials,
//! which are eight and two.

use crate::ice::stun::username_of;
use crate::ice::{Changes, Tuple, UsernameFragment};
use crate::random::{KeyedMap, KeyedState, shrink_when_sparse};

/// Owners of tuples and fragments. Compared whole, never by a hash; hashed with a key that peers do not know.
#[derive(Debug)]
pub(crate) struct IceRoutes<K> {
    tuples: KeyedMap<Tuple, K>,
    fragments: KeyedMap<UsernameFragment, K>,
}

impl<K: Copy + PartialEq> IceRoutes<K> {
    /// No owners, and no memory.
    pub(crate) fn new(hasher: KeyedState) -> Self {
        Self { tuples: KeyedMap::with_hasher(hasher), fragments: KeyedMap::with_hasher(hasher) }
    }

    /// Who a datagram is for. A request that names a known fragment is that one's, also where the peer's address was
    /// another transport's before; everything else is the tuple's.
    pub(crate) fn find(&self, tuple: &Tuple, datagram: &[u8]) -> Option<K> {
        let named = username_of(datagram).and_then(UsernameFragment::of_username);
        let named = named.and_then(|fragment| self.fragments.get(&fragment));
        named.or_else(|| self.tuples.get(tuple)).copied()
    }

    /// Makes requests that name `fragment` `owner`'s.
    pub(crate) fn add_fragment(&mut self, fragment: UsernameFragment, owner: K) {
        self.fragments.insert(fragment, owner);
    }

    /// Takes [`Self::add_fragment`] back: at the end of a transport, and after a restart for what that retired.
    pub(crate) fn remove_fragment(&mut self, fragment: &UsernameFragment) {
        self.fragments.remove(fragment);
        shrink_when_sparse(&mut self.fragments);
    }

    /// Follows what happened to `owner`'s agent in a call, and about which tuple that was, if about one. Answers whose the
    /// tuple was before, if it was another one's: that one's agent must hear of it (`IceLite::remove`).
    pub(crate) fn follow(&mut self, owner: K, tuple: Option<&Tuple>, changes: &Changes) -> Option<K> {
        let added = tuple.filter(|_| changes.added);
        let before = added.and_then(|tuple| self.tuples.insert(*tuple, owner));
        if let Some(removed) = &changes.removed {
            self.remove_tuple(removed, owner);
        }
        if let Some(retired) = &changes.retired {
            self.remove_fragment(retired);
        }
        before.filter(|before| *before != owner)
    }

    /// Forgets a tuple of `owner`; one that is another's by now stays.
    pub(crate) fn remove_tuple(&mut self, tuple: &Tuple, owner: K) {
        if self.tuples.get(tuple) == Some(&owner) {
            self.tuples.remove(tuple);
            shrink_when_sparse(&mut self.tuples);
        }
    }

    /// How many tuples have an owner.
    pub(crate) fn tuples(&self) -> usize {
        self.tuples.len()
    }

    /// Whose a tuple is.
    pub(crate) fn owner_of(&self, tuple: &Tuple) -> Option<K> {
        self.tuples.get(tuple).copied()
    }

    /// All fragments with their owners.
    pub(crate) fn fragments(&self) -> impl Iterator<Item = (&UsernameFragment, K)> {
        self.fragments.iter().map(|(fragment, owner)| (fragment, *owner))
    }
}

#[cfg(test)]
mod tests;
