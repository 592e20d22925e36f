//! A flat table of entities with typed keys that go stale instead of dangling.
//!
//! Knows pages, keys and generations. Does not know what it holds. Used for everything that has an identity.
//! Invariant: a key that `insert` gave out finds its own entry or nothing, never another one: generations come from
//! one counter of the whole table, so that they go on where a freed page was made again.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

use super::index_set::IndexSet;

/// Names one entry of a [`Table<T>`]. Plain data: it keeps nothing alive, and may outlive its entry.
///
/// The order of keys is the order of the table's iteration, and means nothing else.
pub struct Key<T> {
    index: u32,
    generation: NonZeroU32,
    entry: PhantomData<fn() -> T>,
}

/// Entries of one kind. Memory comes in pages of [`PAGE_ENTRIES`] and goes back with the last entry of a page.
pub struct Table<T> {
    pages: Vec<Page<T>>,
    /// Pages that exist and have room.
    open: IndexSet,
    next_generation: NonZeroU32,
    len: usize,
}

/// `entries` is empty while the page has no memory, else it has `PAGE_ENTRIES` items.
struct Page<T> {
    used: u32,
    entries: Box<[Option<Entry<T>>]>,
}

struct Entry<T> {
    generation: NonZeroU32,
    value: T,
}

impl<T> Table<T> {
    /// An empty table, which holds no memory.
    pub fn new() -> Self {
        Self { pages: Vec::new(), open: IndexSet::default(), next_generation: NonZeroU32::MIN, len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `value` at the lowest free place.
    ///
    /// # Panics
    ///
    /// When the table would need more than 2^32 places, which no memory limit allows.
    pub fn insert(&mut self, value: T) -> Key<T> {
        let at = self.open.lowest().unwrap_or_else(|| self.make_page());
        let page = &mut self.pages[at];
        let offset = page.used.trailing_ones();
        page.used |= 1 << offset;
        if page.used == u32::MAX {
            self.open.remove(at);
        }
        let generation = self.next_generation;
        // After 2^32 inserts it starts again: a key would have to be kept as long, for the same place, to be mistaken.
        self.next_generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        page.entries[offset as usize] = Some(Entry { generation, value });
        self.len += 1;
        Key::new(at * PAGE_ENTRIES + offset as usize, generation)
    }

    /// Takes the entry out; `None` when the key is stale.
    pub fn remove(&mut self, key: Key<T>) -> Option<T> {
        let (at, offset) = key.place();
        let page = self.pages.get_mut(at)?;
        let entry = page.entries.get_mut(offset)?.take_if(|entry| entry.generation == key.generation)?;
        page.used &= !(1 << offset);
        self.len -= 1;
        if page.used == 0 {
            self.free_page(at);
        } else {
            self.open.insert(at);
        }
        Some(entry.value)
    }

    /// The entry; `None` when the key is stale.
    pub fn get(&self, key: Key<T>) -> Option<&T> {
        let (at, offset) = key.place();
        self.pages.get(at)?.entries.get(offset)?.as_ref()?.of(key)
    }

    /// The entry, to be changed; `None` when the key is stale.
    pub fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let (at, offset) = key.place();
        self.pages.get_mut(at)?.entries.get_mut(offset)?.as_mut()?.of_mut(key)
    }

    /// Two different entries at once; `None` when a key is stale or both are the same.
    pub fn get_two_mut(&mut self, one: Key<T>, two: Key<T>) -> Option<(&mut T, &mut T)> {
        let ((page_one, offset_one), (page_two, offset_two)) = (one.place(), two.place());
        let [first, second] = if page_one == page_two {
            let page = self.pages.get_mut(page_one)?;
            page.entries.get_disjoint_mut([offset_one, offset_two]).ok()?
        } else {
            let [first, second] = self.pages.get_disjoint_mut([page_one, page_two]).ok()?;
            [first.entries.get_mut(offset_one)?, second.entries.get_mut(offset_two)?]
        };
        Some((first.as_mut()?.of_mut(one)?, second.as_mut()?.of_mut(two)?))
    }

    /// Whether the key still names an entry.
    pub fn contains(&self, key: Key<T>) -> bool {
        self.get(key).is_some()
    }

    /// All entries in the order of their places, which depends on nothing but the inserts and removes so far.
    pub fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        let places = self.pages.iter().enumerate().flat_map(|(at, page)| places(at).zip(&page.entries));
        places.filter_map(|(place, entry)| entry.as_ref().map(|e| (Key::new(place, e.generation), &e.value)))
    }

    /// All entries in the order of their places, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key<T>, &mut T)> {
        let places =
            self.pages.iter_mut().enumerate().flat_map(|(at, page)| places(at).zip(&mut page.entries));
        places.filter_map(|(place, entry)| {
            entry.as_mut().map(|e| (Key::new(place, e.generation), &mut e.value))
        })
    }

    /// How many bytes the table holds on the heap, without what its entries hold there themselves.
    pub fn held_bytes(&self) -> usize {
        let with_memory = self.pages.iter().filter(|page| !page.entries.is_empty()).count();
        self.pages.capacity() * size_of::<Page<T>>()
            + with_memory * PAGE_ENTRIES * size_of::<Option<Entry<T>>>()
            + self.open.held_bytes()
    }

    /// Gives memory to the lowest page without any, and says which that is.
    fn make_page(&mut self) -> usize {
        let at = self.pages.iter().position(|page| page.entries.is_empty()).unwrap_or(self.pages.len());
        let page = Page { used: 0, entries: (0..PAGE_ENTRIES).map(|_| None).collect() };
        match self.pages.get_mut(at) {
            Some(place) => *place = page,
            None => self.pages.push(page),
        }
        self.open.insert(at);
        at
    }

    fn free_page(&mut self, at: usize) {
        self.pages[at].entries = Box::default();
        self.open.remove(at);
        while self.pages.pop_if(|page| page.entries.is_empty()).is_some() {}
        if self.pages.capacity() > 2 * self.pages.len() {
            self.pages.shrink_to_fit();
        }
        self.open.truncate(self.pages.len());
    }
}

impl<T> Entry<T> {
    fn of(&self, key: Key<T>) -> Option<&T> {
        (self.generation == key.generation).then_some(&self.value)
    }

    fn of_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        (self.generation == key.generation).then_some(&mut self.value)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<T> Key<T> {
    fn new(place: usize, generation: NonZeroU32) -> Self {
        let index = u32::try_from(place).expect("a table has fewer than 2^32 places");
        Self { index, generation, entry: PhantomData }
    }

    /// Page, and place in it.
    fn place(self) -> (usize, usize) {
        let index = self.index as usize;
        (index / PAGE_ENTRIES, index % PAGE_ENTRIES)
    }
}

// Derived, these would ask the same of `T`, which a key does not hold.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.index, self.generation)
    }
}

fn places(page: usize) -> std::ops::Range<usize> {
    page * PAGE_ENTRIES..(page + 1) * PAGE_ENTRIES
}

/// Entries of one page; the bits of `Page::used`. A type too large to have 32 of it for one belongs in a `Box`.
pub const PAGE_ENTRIES: usize = u32::BITS as usize;

const _: () = assert!(size_of::<Key<[u64; 9]>>() == 8 && size_of::<Option<Key<u8>>>() == 8);
const _: () = assert!(size_of::<Option<Entry<u32>>>() == 8, "a free entry costs no tag of its own");

#[cfg(test)]
mod tests;
