//! The table against an ordered map; every key that was ever given out is asked again.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_stale_key_finds_nothing_after_its_place_is_taken_again() {
    let mut table = Table::new();
    let old = table.insert("old");
    assert_eq!(table.remove(old), Some("old"));
    let new = table.insert("new");
    assert_eq!(old.place(), new.place());
    assert_eq!((table.get(old), table.get(new)), (None, Some(&"new")));
    assert_eq!(table.remove(old), None);
    assert!(table.contains(new));
}

#[test]
fn an_emptied_table_holds_no_memory() {
    let mut table = Table::new();
    let keys: Vec<_> = (0..1_000u64).map(|n| table.insert(n)).collect();
    assert!(table.held_bytes() > 1_000 * 8);
    let (inner, rest) = keys.split_at(700);
    let before = table.held_bytes();
    for key in inner {
        table.remove(*key);
    }
    // Pages 0..=20 were emptied below others that live: their memory went all the same.
    assert!(table.held_bytes() < before / 2, "{} of {before}", table.held_bytes());
    for key in rest {
        table.remove(*key);
    }
    assert_eq!((table.held_bytes(), table.len()), (0, 0));
}

#[test]
fn two_entries_can_be_changed_together() {
    let mut table = Table::new();
    let keys: Vec<_> = (0..40).map(|n| table.insert(n)).collect();
    for (one, two) in [(0, 1), (1, 0), (0, 39), (39, 32)] {
        let (a, b) = table.get_two_mut(keys[one], keys[two]).expect("both live");
        std::mem::swap(a, b);
        assert_eq!((table.get(keys[one]), table.get(keys[two])), (Some(&two), Some(&one)));
        let (a, b) = table.get_two_mut(keys[one], keys[two]).expect("both live");
        std::mem::swap(a, b);
    }
    assert_eq!(table.get_two_mut(keys[3], keys[3]), None);
    table.remove(keys[3]);
    assert_eq!(table.get_two_mut(keys[3], keys[4]), None);
    assert_eq!(table.get_two_mut(keys[35], keys[3]), None);
}

#[test]
fn generations_start_again_after_the_last_without_zero() {
    let mut table = Table::new();
    table.next_generation = NonZeroU32::MAX;
    let last = table.insert(1);
    let first = table.insert(2);
    assert_eq!((last.generation.get(), first.generation.get()), (u32::MAX, 1));
    assert_eq!((table.get(last), table.get(first)), (Some(&1), Some(&2)));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16),
    Remove(prop::sample::Index),
    RemoveStale(prop::sample::Index),
    Change(prop::sample::Index, u16),
    RemoveMany(u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => any::<u16>().prop_map(Step::Insert),
        4 => any::<prop::sample::Index>().prop_map(Step::Remove),
        2 => any::<prop::sample::Index>().prop_map(Step::RemoveStale),
        2 => (any::<prop::sample::Index>(), any::<u16>()).prop_map(|(at, value)| Step::Change(at, value)),
        1 => (0u32..300, 0u32..120).prop_map(|(from, count)| Step::RemoveMany(from, count)),
    ];
    prop::collection::vec(step, 1..600)
}

/// A table, what it should hold, and the keys that must find nothing.
#[derive(Default)]
struct Checked {
    table: Table<u16>,
    model: BTreeMap<Key<u16>, u16>,
    stale: Vec<Key<u16>>,
}

impl Checked {
    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Insert(value) => {
                let lowest_free = self.lowest_free_in_a_page();
                let key = self.table.insert(value);
                assert!(lowest_free.is_none_or(|index| key.index == index), "{key:?} is not the lowest");
                assert_eq!(self.model.insert(key, value), None, "{key:?} was given out while it lives");
                assert!(!self.stale.contains(&key), "{key:?} was given out again");
            }
            Step::Remove(at) if !self.model.is_empty() => {
                let key = *at.get(&self.model.keys().copied().collect::<Vec<_>>());
                self.remove(key);
            }
            Step::RemoveStale(at) if !self.stale.is_empty() => {
                assert_eq!(self.table.remove(*at.get(&self.stale)), None);
            }
            Step::Change(at, value) if !self.model.is_empty() => {
                let key = *at.get(&self.model.keys().copied().collect::<Vec<_>>());
                *self.table.get_mut(key).expect("lives") = value;
                self.model.insert(key, value);
            }
            Step::RemoveMany(from, count) => {
                let keys = self.model.keys().copied().filter(|key| (from..from + count).contains(&key.index));
                for key in keys.collect::<Vec<_>>() {
                    self.remove(key);
                }
            }
            _ => {}
        }
    }

    /// The lowest place that is free beside one in use in the same page; `None` when a page has to be made.
    fn lowest_free_in_a_page(&self) -> Option<u32> {
        let used = self.model.keys().map(|key| key.index).collect::<BTreeSet<_>>();
        let pages = used.iter().map(|index| index / 32).collect::<BTreeSet<_>>();
        pages.iter().flat_map(|page| page * 32..(page + 1) * 32).find(|index| !used.contains(index))
    }

    fn remove(&mut self, key: Key<u16>) {
        assert_eq!(self.table.remove(key), self.model.remove(&key));
        self.stale.push(key);
    }

    fn check(&mut self) {
        assert_eq!(self.table.len(), self.model.len());
        assert!(
            self.table.iter().map(|(key, value)| (key, *value)).eq(self.model.iter().map(|(k, v)| (*k, *v)))
        );
        assert!(
            self.table
                .iter_mut()
                .map(|(key, value)| (key, *value))
                .eq(self.model.iter().map(|(k, v)| (*k, *v)))
        );
        for key in &self.stale {
            assert!(self.table.get(*key).is_none() && self.table.get_mut(*key).is_none());
        }
        let pages_needed = self.model.keys().map(|key| key.place().0).collect::<BTreeSet<_>>();
        let with_memory = self.table.pages.iter().filter(|page| !page.entries.is_empty()).count();
        assert_eq!(with_memory, pages_needed.len());
        assert_eq!(self.table.pages.len(), pages_needed.last().map_or(0, |last| last + 1));
    }
}

proptest! {
    #[test]
    fn behaves_as_an_ordered_map_whose_keys_never_return(steps in steps()) {
        let mut checked = Checked::default();
        for step in &steps {
            checked.apply(step);
        }
        checked.check();
        for key in checked.model.keys().copied().collect::<Vec<_>>() {
            checked.remove(key);
        }
        checked.check();
        assert_eq!(checked.table.held_bytes(), 0);
    }
}
