//! Random walks of the pool against a model that only counts: what is taken, shared, frozen, dropped and given back.

use super::*;
use crate::base::time::Time;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Take(Class, usize),
    Copy(usize),
    SetLen(Index, usize),
    Freeze(Index),
    CloneOf(Index, usize),
    DropBuffer(Index),
    DropPacket(Index),
    DropMany(Index, usize),
    Charge(usize),
    Release(Index),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop_oneof![Just(Class::Small), Just(Class::Large)];
    let any = any::<Index>;
    prop_oneof![
        6 => (class, 1usize..100).prop_map(|(class, count)| Step::Take(class, count)),
        2 => (0..SMALL_BYTES + 20).prop_map(Step::Copy),
        2 => (any(), 0..LARGE_BYTES + 9).prop_map(|(at, bytes)| Step::SetLen(at, bytes)),
        6 => any().prop_map(Step::Freeze),
        4 => (any(), 1usize..5).prop_map(|(at, count)| Step::CloneOf(at, count)),
        3 => any().prop_map(Step::DropBuffer),
        3 => any().prop_map(Step::DropPacket),
        4 => (any(), 1usize..200).prop_map(|(from, count)| Step::DropMany(from, count)),
        1 => (0..LIMIT / 4).prop_map(Step::Charge),
        1 => any().prop_map(Step::Release),
        3 => (0u64..7_000).prop_map(Step::Pass),
    ]
}

/// A handle, and what it must read.
struct Known<H> {
    handle: H,
    tag: u8,
    len: usize,
    /// Handles with the same number share a slot.
    slot: u64,
}

struct Walk {
    pool: Pool,
    buffers: Vec<Known<Buffer>>,
    packets: Vec<Known<Packet>>,
    charges: Vec<usize>,
    refused: u64,
    now: Time,
    taken: u64,
}

impl Walk {
    fn new() -> Self {
        let (buffers, packets, charges) = (Vec::new(), Vec::new(), Vec::new());
        Self { pool: Pool::new(LIMIT), buffers, packets, charges, refused: 0, now: Time::ZERO, taken: 0 }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Take(class, count) => (0..count).for_each(|_| self.take(class)),
            Step::Copy(bytes) => self.copy(bytes),
            Step::SetLen(at, bytes) => self.set_len(at, bytes),
            Step::Freeze(at) => self.freeze(at),
            Step::CloneOf(at, count) => (0..count).for_each(|_| self.share(at)),
            Step::DropBuffer(at) => drop(pick(&mut self.buffers, at)),
            Step::DropPacket(at) => drop(pick(&mut self.packets, at)),
            Step::DropMany(from, count) => self.drop_many(from, count),
            Step::Charge(bytes) => self.charge(bytes),
            Step::Release(at) => {
                let bytes = pick(&mut self.charges, at);
                self.pool.release(bytes.unwrap_or(0));
            }
            Step::Pass(millis) => self.pass(millis),
        }
    }

    fn take(&mut self, class: Class) {
        let free = free_slots(&self.pool, class);
        let Some(mut handle) = self.pool.take(class) else {
            assert_eq!(free, 0, "refused while a slot was free");
            let charged = self.pool.stats().charged_bytes;
            let counted = self.pool.held_bytes() - charged + charged.max(LIMIT / 6);
            assert!(counted + class.chunk_bytes() > LIMIT, "refused below the limit");
            self.refused += 1;
            return;
        };
        assert_eq!((handle.len(), handle.capacity()), (class.capacity(), class.capacity()));
        let tag = self.next_tag();
        handle.fill(tag);
        self.buffers.push(Known { len: handle.len(), handle, tag, slot: self.taken });
    }

    fn copy(&mut self, bytes: usize) {
        let tag = self.next_tag();
        match self.pool.copy_small(&vec![tag; bytes]) {
            Some(handle) => self.buffers.push(Known { handle, tag, len: bytes, slot: self.taken }),
            None => self.refused += u64::from(bytes <= SMALL_BYTES),
        }
    }

    fn next_tag(&mut self) -> u8 {
        self.taken += 1;
        u8::try_from(self.taken % 251).expect("below 251")
    }

    fn set_len(&mut self, at: Index, bytes: usize) {
        if self.buffers.is_empty() {
            return;
        }
        let at = at.index(self.buffers.len());
        let known = &mut self.buffers[at];
        known.handle.set_len(bytes);
        known.len = bytes.min(known.handle.capacity());
        known.handle.fill(known.tag);
    }

    fn freeze(&mut self, at: Index) {
        if let Some(Known { handle, tag, len, slot }) = pick(&mut self.buffers, at) {
            self.packets.push(Known { handle: handle.freeze(), tag, len, slot });
        }
    }

    fn share(&mut self, at: Index) {
        if !self.packets.is_empty() {
            let Known { handle, tag, len, slot } = &self.packets[at.index(self.packets.len())];
            let known = Known { handle: handle.clone(), tag: *tag, len: *len, slot: *slot };
            self.packets.push(known);
        }
    }

    fn drop_many(&mut self, from: Index, count: usize) {
        if !self.packets.is_empty() {
            let from = from.index(self.packets.len());
            self.packets.drain(from..(from + count).min(self.packets.len()));
        }
        if !self.buffers.is_empty() {
            let from = from.index(self.buffers.len());
            self.buffers.drain(from..(from + count).min(self.buffers.len()));
        }
    }

    fn charge(&mut self, bytes: usize) {
        match self.pool.charge(bytes) {
            Ok(()) => self.charges.push(bytes),
            Err(BudgetFull) => {
                assert!(self.pool.held_bytes() + bytes > LIMIT);
                self.refused += 1;
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        let before = self.pool.held_bytes();
        let freed = self.pool.reclaim(self.now);
        assert_eq!(self.pool.held_bytes(), before - freed);
    }

    /// Whether the pool's counts are the model's, and every handle reads what was written through it.
    fn check(&self) {
        let stats = self.pool.stats();
        let mut shares = BTreeMap::<u64, u32>::new();
        for known in &self.packets {
            *shares.entry(known.slot).or_default() += 1;
        }
        assert_eq!(self.pool.in_use(), self.buffers.len() + shares.len());
        assert_eq!(stats.small.in_use + stats.large.in_use, self.pool.in_use());
        assert_eq!(stats.refused, self.refused);
        assert_eq!(stats.charged_bytes, self.charges.iter().sum::<usize>());
        let chunks = |class: Class, stats: ClassStats| stats.chunks * class.chunk_bytes();
        let chunk_bytes = chunks(Class::Small, stats.small) + chunks(Class::Large, stats.large);
        assert_eq!(self.pool.held_bytes(), chunk_bytes + stats.charged_bytes);
        assert!(self.pool.held_bytes() <= LIMIT);
        assert!(self.packets.iter().all(|known| known.handle.references() == shares[&known.slot]));
        assert!(self.packets.iter().all(|known| reads_as_written(&known.handle, known.tag, known.len)));
        assert!(self.buffers.iter().all(|known| reads_as_written(&known.handle, known.tag, known.len)));
    }

    /// After all is dropped and five seconds have gone by, at most one chunk of each class is held.
    fn check_end(mut self) {
        self.buffers.clear();
        self.packets.clear();
        self.charges.drain(..).for_each(|bytes| self.pool.release(bytes));
        self.check();
        self.pass(0);
        self.pass(5_000);
        let stats = self.pool.stats();
        assert!(stats.small.chunks <= 1 && stats.large.chunks <= 1, "{stats:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(4)))]

    #[test]
    fn counts_and_contents_are_those_of_the_model(steps in prop::collection::vec(step(), 1..150)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.apply(step);
            walk.check();
        }
        walk.check_end();
    }

    #[test]
    fn handles_that_outlive_the_pool_read_on(steps in prop::collection::vec(step(), 1..80), drops in any::<Index>()) {
        let mut walk = Walk::new();
        steps.iter().for_each(|step| walk.apply(step));
        let Walk { pool, mut buffers, mut packets, .. } = walk;
        drop(pool);
        while !(buffers.is_empty() && packets.is_empty()) {
            drop(pick(&mut packets, drops));
            drop(pick(&mut buffers, drops));
            packets.extend(pick(&mut buffers, drops).map(|known| {
                Known { handle: known.handle.freeze(), tag: known.tag, len: known.len, slot: known.slot }
            }));
            prop_assert!(packets.iter().all(|known| reads_as_written(&known.handle, known.tag, known.len)));
        }
    }
}

fn reads_as_written(bytes: &[u8], tag: u8, len: usize) -> bool {
    bytes.len() == len && bytes.iter().all(|byte| *byte == tag)
}

fn free_slots(pool: &Pool, class: Class) -> usize {
    let stats = pool.stats();
    let of_class = match class {
        Class::Small => stats.small,
        Class::Large => stats.large,
    };
    of_class.slots - of_class.in_use
}

fn pick<T>(list: &mut Vec<T>, at: Index) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(at.index(list.len())))
}

/// Small enough that walks run into it: six large chunks and some small ones.
const LIMIT: usize = 640 << 10;
