//! Places for peers that come and go: a number names one of them for ever, its place is used again.
//!
//! Like the worker's own tables, but with numbers that fit a payload, for each packet says whose it is. Knows places.
//! Does not know what it holds. Used by `Actors`. Invariant: a number finds what it was given for, or nothing.

/// Some of one kind.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    /// The number of what is here, or of what comes next.
    id: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// The number that the next one will have.
    pub(super) fn next_id(&self) -> u32 {
        match self.free.last() {
            Some(place) => self.places[*place as usize].id,
            None => u32::try_from(self.places.len()).expect("few peers"),
        }
    }

    /// Puts one in; its number is [`next_id`](Self::next_id).
    ///
    /// # Panics
    /// As many are there at once as there are places.
    pub(super) fn insert(&mut self, value: T) {
        let id = self.next_id();
        match self.free.pop() {
            Some(place) => self.places[place as usize].value = Some(value),
            None => {
                assert!(id <= PLACE, "few peers at once");
                self.places.push(Place { id, value: Some(value) });
            }
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let place = self.places.get_mut((id & PLACE) as usize).filter(|place| place.id == id)?;
        let value = place.value.take()?;
        place.id = id.wrapping_add(PLACE + 1);
        self.free.push(id & PLACE);
        Some(value)
    }

    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.places.get((id & PLACE) as usize).filter(|place| place.id == id)?.value.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.places.get_mut((id & PLACE) as usize).filter(|place| place.id == id)?.value.as_mut()
    }

    /// Numbers of all that are there, in the order of their places.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.places.iter().filter(|place| place.value.is_some()).map(|place| place.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.value.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|place| place.value.as_mut())
    }
}

/// The part of a number that says where; the rest counts who was there before.
const PLACE: u32 = 0xFFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_finds_its_own_or_nothing() {
        let mut slots = Slots::default();
        let put = |slots: &mut Slots<u32>, value| {
            let id = slots.next_id();
            slots.insert(value);
            id
        };
        let (one, two) = (put(&mut slots, 1), put(&mut slots, 2));
        assert_eq!((slots.remove(one), slots.remove(one)), (Some(1), None));
        let three = put(&mut slots, 3);
        assert_eq!(three & PLACE, one & PLACE, "the place is used again");
        assert_eq!((slots.get(one), slots.get(two), slots.get(three)), (None, Some(&2), Some(&3)));
        assert_eq!(slots.ids().collect::<Vec<_>>(), [three, two]);
    }

    #[test]
    fn numbers_come_again_only_after_65_536_others() {
        let mut slots = Slots::default();
        let first = slots.next_id();
        for _ in 0..65_536 {
            let id = slots.next_id();
            slots.insert(());
            slots.remove(id);
        }
        assert_eq!(slots.next_id(), first);
    }
}
