//! The bounded vector against a plain one.

use super::*;
use proptest::prelude::*;

#[test]
fn what_does_not_fit_comes_back() {
    let mut list = Bounded::<_, 2>::new();
    assert_eq!((list.push("a"), list.insert(0, "b"), list.push("c")), (Ok(()), Ok(()), Err("c")));
    assert_eq!(*list, ["b", "a"]);
    assert!(list.is_full());
    assert_eq!(Bounded::<_, 0>::new().push(1), Err(1));
}

#[test]
fn memory_grows_to_the_cap_and_goes_back_when_empty() {
    let mut list = Bounded::<u64, 1_000>::new();
    assert_eq!(list.held_bytes(), 0);
    for n in 0..1_000 {
        assert_eq!(list.push(n), Ok(()));
    }
    assert_eq!(list.held_bytes(), 8_000, "room for the cap and no more");
    list.retain(|n| *n >= 1_000);
    assert_eq!(list.held_bytes(), KEPT_BYTES);
}

#[test]
fn a_list_that_fills_a_little_and_empties_keeps_its_memory() {
    let mut list = Bounded::<u64, 1_000>::new();
    assert_eq!(list.push(1), Ok(()));
    let held = list.held_bytes();
    assert_eq!((held, list.pop(), list.held_bytes()), (KEPT_BYTES, Some(1), held));
}

#[test]
fn items_without_a_size_are_counted_too() {
    let mut list = Bounded::<(), 3>::new();
    assert_eq!((0..5).filter(|_| list.push(()).is_ok()).count(), 3);
    list.clear();
    assert!(list.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Insert(usize, u32),
    Pop,
    Remove(usize),
    SwapRemove(usize),
    RemoveFirst(usize),
    RetainAbove(u32),
    Truncate(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any::<u32>().prop_map(Step::Push),
        6 => (0usize..40, any::<u32>()).prop_map(|(at, item)| Step::Insert(at, item)),
        2 => Just(Step::Pop),
        2 => (0usize..40).prop_map(Step::Remove),
        2 => (0usize..40).prop_map(Step::SwapRemove),
        1 => (0usize..10).prop_map(Step::RemoveFirst),
        1 => (0..u32::MAX / 2).prop_map(Step::RetainAbove),
        1 => (0usize..40).prop_map(Step::Truncate),
        1 => Just(Step::Clear),
    ]
}

const CAP: usize = 31;

fn apply(step: &Step, list: &mut Bounded<u32, CAP>, model: &mut Vec<u32>) {
    let full = model.len() == CAP;
    match *step {
        Step::Push(item) if full => assert_eq!(list.push(item), Err(item)),
        Step::Insert(at, item) if full => assert_eq!(list.insert(at, item), Err(item)),
        Step::Push(item) => {
            assert_eq!(list.push(item), Ok(()));
            model.push(item);
        }
        Step::Insert(at, item) => {
            assert_eq!(list.insert(at, item), Ok(()));
            model.insert(at.min(model.len()), item);
        }
        Step::Pop => assert_eq!(list.pop(), model.pop()),
        Step::Remove(at) => assert_eq!(list.remove(at), (at < model.len()).then(|| model.remove(at))),
        Step::SwapRemove(at) => {
            assert_eq!(list.swap_remove(at), (at < model.len()).then(|| model.swap_remove(at)));
        }
        Step::RemoveFirst(count) => {
            list.remove_first(count);
            model.drain(..count.min(model.len()));
        }
        Step::RetainAbove(limit) => {
            list.retain(|item| *item > limit);
            model.retain(|item| *item > limit);
        }
        Step::Truncate(count) => {
            list.truncate(count);
            model.truncate(count);
        }
        Step::Clear => {
            list.clear();
            model.clear();
        }
    }
}

proptest! {
    #[test]
    fn behaves_as_a_vector_with_a_cap(steps in prop::collection::vec(step(), 1..200)) {
        let (mut list, mut model) = (Bounded::new(), Vec::new());
        for step in &steps {
            apply(step, &mut list, &mut model);
            prop_assert_eq!(&*list, &*model);
            prop_assert!(list.held_bytes() <= CAP * 4);
            prop_assert!(!model.is_empty() || list.held_bytes() <= KEPT_BYTES);
        }
    }
}
