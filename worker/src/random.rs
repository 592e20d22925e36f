//! The worker's one source of random numbers, and the hasher that is keyed from it.
//!
//! Knows a seed. Does not know where it came from: the shell takes it from the system, a test from its own seed, and
//! with it every choice and every map order is replayed.

use std::hash::{BuildHasher, Hash};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use siphasher::sip::SipHasher13;

/// Unpredictable to peers, repeatable from its seed.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// A source that gives the same numbers for the same seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// Any number.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Any bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number from `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn in_range(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        // The bias of the product is below 2^-32.
        let scaled = (u64::from(self.next_u32()) * span) >> 32;
        low.saturating_add(u32::try_from(scaled).unwrap_or(0))
    }

    /// A key for maps whose keys a peer may choose.
    pub fn hasher(&mut self) -> KeyedState {
        KeyedState { k0: self.next_u64(), k1: self.next_u64() }
    }
}

/// Builds SipHash hashers with a secret key: a peer that chooses keys cannot make them collide.
#[derive(Clone, Copy, Debug)]
pub struct KeyedState {
    k0: u64,
    k1: u64,
}

impl BuildHasher for KeyedState {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}

/// A map whose keys a peer may choose.
pub type KeyedMap<K, V> = hashbrown::HashMap<K, V, KeyedState>;

/// Gives memory back when most of a map's room is unused. Called after removals; amortised, as growing is.
pub fn shrink_when_sparse<K: Eq + Hash, V>(map: &mut KeyedMap<K, V>) {
    if map.len() * 4 <= map.capacity() {
        map.shrink_to(map.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_reach_its_ends() {
        let mut random = Random::from_seed([7; 32]);
        let numbers: Vec<u32> = (0..1000).map(|_| random.in_range(10, 13)).collect();
        assert!((10..=13).all(|number| numbers.contains(&number)));
        assert!(numbers.iter().all(|number| (10..=13).contains(number)));
        assert_eq!(random.in_range(5, 4), 5);
    }

    #[test]
    fn same_seed_gives_the_same_hashes() {
        let hash = |seed| Random::from_seed([seed; 32]).hasher().hash_one(12345u32);
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}
