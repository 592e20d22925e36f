//! Packet memory: buffers of two sizes under one hard limit, shared by counting, given back after a peak.
//!
//! Knows buffers, chunks and a budget. Does not know what is in a buffer. Called by the shell to receive into, and by
//! everything that keeps a packet; rings, queues and arenas made elsewhere are charged to the same budget.
//! Invariant: `held_bytes() <= limit_bytes()`, and a chunk lives at least as long as any handle to a slot of it.
//!
//! A chunk is a record of 64 slots and one block of bytes for them. The record is aligned to 64 bytes, so that a handle
//! is one word: the address of the record, with the slot's number in the low six bits. Slots are taken from the lowest
//! chunk that has one, so that the higher chunks run empty; one that stays empty for [`EMPTY_CHUNK_LIFE`] goes back.
//! The block is zeroed once, by the allocator, which costs nothing where it maps it anew: a page of such a block that
//! no packet was ever written to is never resident.
//!
//! Going back means `dealloc`, and glibc keeps what is below its mmap threshold (128 KiB at first, and moving). With
//! nothing done about it, 128 MiB stayed resident after all of it was given back; the shell must either set
//! `M_MMAP_THRESHOLD` to 64 KiB once (a large block then takes 25 pages for its 24, and leaves with its `dealloc`), or
//! call `malloc_trim` after a [`Pool::reclaim`] that gave something back (14 ms for 128 MiB, and small chunks leave too).
//!
//! Handles are counted in plain cells. They and the pool hold `NonNull`, so that none can leave its thread.
#![expect(
    unsafe_code,
    reason = "a count shared without atomics or a word of overhead, the one place beside sys/"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

mod shelves;

pub use shelves::{BudgetFull, ClassStats, EMPTY_CHUNK_LIFE, Pool, PoolStats, RECLAIM_CHUNKS};

/// The two sizes of buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// [`SMALL_BYTES`]: audio, RTCP, control messages.
    Small,
    /// [`LARGE_BYTES`]: whatever a network may bring in one datagram.
    Large,
}

impl Class {
    /// How many bytes a buffer of this class has.
    pub const fn capacity(self) -> usize {
        match self {
            Self::Small => SMALL_BYTES,
            Self::Large => LARGE_BYTES,
        }
    }

    /// What one chunk of this class counts for in the budget: its bytes and its record.
    pub const fn chunk_bytes(self) -> usize {
        self.layout().size() + size_of::<Chunk>()
    }

    const fn layout(self) -> Layout {
        // A larger alignment would make `alloc_zeroed` write the zeros itself, and so touch every page.
        match Layout::from_size_align(CHUNK_SLOTS * self.capacity(), 16) {
            Ok(layout) => layout,
            Err(_) => panic!("both sizes are small multiples of 16"),
        }
    }
}

/// A buffer with one owner, who may write. Dereferences to all its bytes until [`set_len`](Self::set_len) says less.
pub struct Buffer(Slot);

impl Buffer {
    /// How many bytes fit.
    pub fn capacity(&self) -> usize {
        self.0.chunk().class.capacity()
    }

    /// Says how many bytes, from the first on, belong to the packet; more than the capacity counts as the capacity.
    ///
    /// Bytes that come back into view by a greater length are those that were there before.
    pub fn set_len(&mut self, bytes: usize) {
        let bytes = u16::try_from(bytes.min(self.capacity())).expect("capacities fit, by an assertion below");
        self.0.length().set(bytes);
    }

    /// Ends writing; from here on it can be shared.
    pub fn freeze(self) -> Packet {
        Packet(self.0)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let (start, bytes) = self.0.span();
        // SAFETY: the span lies in the chunk's block, which was zeroed when it was made and lives as long as this
        // handle. No other handle names the slot, for a buffer is not cloned and its count is one; `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), bytes) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Buffer({} of {} bytes)", self.len(), self.capacity())
    }
}

/// A packet that many may hold and nobody may write. Cloning counts; the last drop gives the slot back.
#[derive(Clone)]
pub struct Packet(Slot);

impl Packet {
    /// Which size of buffer it is in.
    pub fn class(&self) -> Class {
        self.0.chunk().class
    }

    /// How many handles share it, this one included.
    pub fn references(&self) -> u32 {
        self.0.references().get()
    }
}

impl Deref for Packet {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Packet({} bytes, {} references)", self.len(), self.references())
    }
}

/// A counted handle: the address of the chunk's record plus the number of the slot.
struct Slot(NonNull<u8>);

impl Slot {
    /// Takes over the one reference that [`Chunk::claim_lowest`] counted.
    fn new(chunk: Alive<Chunk>, slot: usize) -> Self {
        debug_assert!(slot < CHUNK_SLOTS);
        // SAFETY: `slot` is below 64 and a record is larger than that: the result is inside of it.
        Self(unsafe { chunk.0.cast::<u8>().add(slot % CHUNK_SLOTS) })
    }

    fn index(&self) -> usize {
        // Records are aligned to CHUNK_SLOTS.
        self.0.addr().get() % CHUNK_SLOTS
    }

    fn chunk(&self) -> Alive<Chunk> {
        // SAFETY: `new` added just this to the address of the record.
        Alive(unsafe { self.0.sub(self.index()) }.cast())
    }

    fn references(&self) -> &Cell<u32> {
        let chunk = self.chunk();
        // SAFETY: the chunk lives while one of its slots has a reference, and `self` is one.
        &unsafe { chunk.0.as_ref() }.references[self.index()]
    }

    fn length(&self) -> &Cell<u16> {
        let chunk = self.chunk();
        // SAFETY: as in `references`.
        &unsafe { chunk.0.as_ref() }.lengths[self.index()]
    }

    /// Where the slot's bytes begin, and how many of them belong to the packet.
    fn span(&self) -> (NonNull<u8>, usize) {
        let chunk = self.chunk();
        // SAFETY: the block has CHUNK_SLOTS times the capacity, and `index` is below CHUNK_SLOTS.
        let start = unsafe { chunk.block.add(self.index() * chunk.class.capacity()) };
        (start, usize::from(self.length().get()))
    }

    fn bytes(&self) -> &[u8] {
        let (start, bytes) = self.span();
        // SAFETY: the span lies in the chunk's block, which was zeroed when it was made and lives as long as this
        // handle. Who could write, a buffer, is borrowed by this call or has become a packet.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) }
    }
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        let references = self.references();
        // 2^32 handles are 32 GiB, but nothing stops a caller from forgetting them: never let the count wrap.
        references.set(references.get().checked_add(1).expect("fewer than 2^32 handles to one packet"));
        Self(self.0)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let references = self.references();
        let left = references.get() - 1;
        references.set(left);
        if left == 0 && !self.chunk().shared.forgets_a_release() {
            Chunk::release(self.chunk(), self.index());
        }
    }
}

/// The record of [`CHUNK_SLOTS`] slots.
#[repr(align(64))]
struct Chunk {
    shared: Alive<Shared>,
    block: NonNull<u8>,
    class: Class,
    /// Its place on the shelf.
    index: Cell<usize>,
    /// One bit per slot that nobody holds.
    free: Cell<u64>,
    /// The next in [`Tally::opened`].
    next_opened: Cell<Option<Alive<Self>>>,
    references: [Cell<u32>; CHUNK_SLOTS],
    lengths: [Cell<u16>; CHUNK_SLOTS],
}

impl Chunk {
    /// A chunk with all slots free; `None` when the system has no memory.
    fn allocate(class: Class, shared: Alive<Shared>) -> Option<Alive<Self>> {
        // SAFETY: the layout's size is not zero.
        let block = NonNull::new(unsafe { alloc_zeroed(class.layout()) })?;
        shared.chunks.set(shared.chunks.get() + 1);
        let empty = &shared.tally(class).empty;
        empty.set(empty.get() + 1);
        Some(Alive::new(Self {
            shared,
            block,
            class,
            index: Cell::default(),
            free: Cell::new(u64::MAX),
            next_opened: Cell::default(),
            references: [const { Cell::new(0) }; CHUNK_SLOTS],
            lengths: [const { Cell::new(0) }; CHUNK_SLOTS],
        }))
    }

    /// Frees an empty chunk. The caller forgets every pointer to it.
    fn free(chunk: Alive<Self>, shared: &Shared) {
        debug_assert!(chunk.is_empty());
        shared.chunks.set(shared.chunks.get() - 1);
        let empty = &shared.tally(chunk.class).empty;
        empty.set(empty.get() - 1);
        let layout = chunk.class.layout();
        // SAFETY: `allocate` got the block with this layout. No slot is in use, so that no handle points into it.
        unsafe { dealloc(chunk.block.as_ptr(), layout) };
        chunk.end();
    }

    /// Takes the lowest free slot, with one reference and its whole capacity as length.
    fn claim_lowest(&self, shared: &Shared) -> usize {
        let free = self.free.get();
        debug_assert!(free != 0, "an open chunk has a free slot");
        let slot = free.trailing_zeros() as usize;
        let tally = shared.tally(self.class);
        if self.is_empty() {
            tally.empty.set(tally.empty.get() - 1);
        }
        tally.in_use.set(tally.in_use.get() + 1);
        self.free.set(free & (free - 1));
        self.references[slot].set(1);
        self.lengths[slot].set(u16::try_from(self.class.capacity()).expect("asserted below"));
        slot
    }

    /// Takes a slot back that nobody references any more.
    fn release(chunk: Alive<Self>, slot: usize) {
        let shared = chunk.shared;
        let tally = shared.tally(chunk.class);
        tally.in_use.set(tally.in_use.get() - 1);
        if chunk.is_full() {
            chunk.next_opened.set(tally.opened.replace(Some(chunk)));
        }
        chunk.free.set(chunk.free.get() | 1 << slot);
        if chunk.is_empty() {
            tally.empty.set(tally.empty.get() + 1);
            if shared.orphaned.get() {
                Self::free(chunk, &shared);
                Shared::free_if_last(shared);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.free.get() == 0
    }

    fn is_empty(&self) -> bool {
        self.free.get() == u64::MAX
    }
}

/// What handles need to know of the pool, and may outlive it.
#[derive(Default)]
struct Shared {
    /// By [`Class`].
    tallies: [Tally; 2],
    /// Chunks that exist; the last one of an orphaned pool takes this record with it.
    chunks: Cell<usize>,
    /// The pool is gone.
    orphaned: Cell<bool>,
    #[cfg(planted_leak)]
    releases: Cell<u64>,
}

#[derive(Default)]
struct Tally {
    in_use: Cell<usize>,
    /// Chunks without a slot in use.
    empty: Cell<usize>,
    /// Chunks that were full and have a free slot now, which the pool has not noted yet. Nobody walks it once the
    /// pool is gone.
    opened: Cell<Option<Alive<Chunk>>>,
}

impl Shared {
    fn tally(&self, class: Class) -> &Tally {
        &self.tallies[class as usize]
    }

    /// Never. Built with `--cfg planted_leak`, which no feature turns on, one in 10,000: `cargo soak-room --leak` must
    /// notice that.
    #[cfg(not(planted_leak))]
    const fn forgets_a_release(&self) -> bool {
        false
    }

    #[cfg(planted_leak)]
    fn forgets_a_release(&self) -> bool {
        let releases = self.releases.get() + 1;
        self.releases.set(releases);
        releases.is_multiple_of(10_000)
    }

    fn free_if_last(shared: Alive<Self>) {
        if shared.orphaned.get() && shared.chunks.get() == 0 {
            shared.end();
        }
    }
}

/// A pointer to a record that lives until `end`. Its holders see to it that none dereferences it after that:
/// a [`Chunk`] ends when its last slot is free and the pool has dropped it from its shelf or is gone itself; the
/// [`Shared`] ends when the pool and all chunks are gone.
struct Alive<T>(NonNull<T>);

impl<T> Alive<T> {
    fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }

    fn end(self) {
        // SAFETY: `new` made it from a box, and the holders' rule above says that this is the only call.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<T> Deref for Alive<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the holders' rule above; and all that changes in a record is in cells, so that no `&mut` is made.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Alive<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Alive<T> {}

/// Bytes of a small buffer.
pub const SMALL_BYTES: usize = 256;
/// Bytes of a large buffer: an Ethernet MTU with room to spare.
pub const LARGE_BYTES: usize = 1_536;
/// Slots of one chunk; the bits of `Chunk::free`.
pub const CHUNK_SLOTS: usize = u64::BITS as usize;

const _: () = assert!(align_of::<Chunk>() == CHUNK_SLOTS && size_of::<Chunk>() == 448);
const _: () = assert!(size_of::<Option<Packet>>() == 8 && size_of::<Option<Buffer>>() == 8);
const _: () = assert!(LARGE_BYTES <= u16::MAX as usize && SMALL_BYTES < LARGE_BYTES);

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
