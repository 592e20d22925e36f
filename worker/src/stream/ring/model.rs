//! Random walks of the ring against an endless list of what was pushed and sent.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{RETAIN, big_pool, entry, ms, sent_position};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Push(u64),
    PushLate(u64),
    Send(usize),
    GiveUp(usize),
    Wait(u64),
    Shrink,
    Clear,
    Ask(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => Just(Step::Push(0)),
        6 => (0..60_u64).prop_map(Step::Push),
        1 => (0..2_999_u64).prop_map(Step::Push),
        8 => (1..90_u64).prop_map(Step::PushLate),
        2 => (1..5_000_u64).prop_map(Step::PushLate),
        12 => (1..40_usize).prop_map(Step::Send),
        4 => (1..8_usize).prop_map(Step::GiveUp),
        10 => (0..40_u64).prop_map(Step::Wait),
        1 => (0..9_000_u64).prop_map(Step::Wait),
        4 => Just(Step::Shrink),
        1 => Just(Step::Clear),
        6 => any::<u16>().prop_map(Step::Ask),
    ]
}

/// What the ring should know of a number.
#[derive(Clone, Copy)]
struct Known {
    position: u32,
    at: Time,
    sent: bool,
}

struct Walk {
    ring: SentRing,
    pool: Pool,
    /// Every number pushed since the last clear, but for those that were given up.
    pushed: BTreeMap<u64, Known>,
    /// The number after the highest one.
    next: u64,
    position: u32,
    now: Time,
}

impl Walk {
    fn new(start: u64) -> Self {
        let (ring, pool, pushed) = (SentRing::new(), big_pool(), BTreeMap::new());
        Self { ring, pool, pushed, next: start, position: u32::MAX - 100, now: ms(start * 3) }
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Push(gap) => self.push(self.next + gap)?,
            Step::PushLate(back) if !self.pushed.is_empty() => self.push_late(back)?,
            Step::PushLate(_) => {}
            Step::Send(count) => self.send(count)?,
            Step::GiveUp(count) => self.give_up(count),
            Step::Wait(millis) => self.now = self.now + Duration::from_millis(millis),
            Step::Shrink => {
                self.ring.shrink(self.now, RETAIN, &mut self.pool);
                prop_assert!(self.ring.bytes() > 0 || self.pushed.values().all(|known| known.sent));
            }
            Step::Clear => {
                self.ring.clear(&mut self.pool);
                self.pushed.clear();
            }
            Step::Ask(wire) => self.ask(wire)?,
        }
        Ok(())
    }

    fn push(&mut self, own: u64) -> Result<(), TestCaseError> {
        if let Err(error) = self.offer(own) {
            prop_assert_eq!(error, PushError::Unsent);
            let first = self.pushed.iter().find(|(_, known)| !known.sent).map(|(&own, _)| own);
            prop_assert!(own - first.unwrap() >= ENTRIES_MAX as u64);
        } else {
            self.next = own + 1;
        }
        Ok(())
    }

    fn push_late(&mut self, back: u64) -> Result<(), TestCaseError> {
        let newest = self.next - 1;
        let own = newest.saturating_sub(back);
        let was = self.pushed.get(&own).copied();
        match self.offer(own) {
            // Only a number that was never used, or is so old that the ring has forgotten it.
            Ok(()) => prop_assert!(was.is_none_or(|was| was.sent && self.now.since(was.at) >= RETAIN)),
            Err(PushError::TooLate) => prop_assert!(newest - own >= ENTRIES_MAX as u64),
            Err(error) => prop_assert!(was.is_some() && error == PushError::Taken),
        }
        Ok(())
    }

    fn offer(&mut self, own: u64) -> Result<(), PushError> {
        self.position = self.position.wrapping_add(1);
        self.ring.push(Seq::new(own), entry(self.position), self.now, RETAIN, &mut self.pool)?;
        self.pushed.insert(own, Known { position: self.position, at: self.now, sent: false });
        Ok(())
    }

    fn send(&mut self, count: usize) -> Result<(), TestCaseError> {
        for _ in 0..count {
            let Some((own, entry)) = self.ring.take_unsent() else { break };
            let known = self.pushed.get_mut(&own.extended()).unwrap();
            prop_assert_eq!(entry.position, known.position);
            known.sent = true;
        }
        Ok(())
    }

    fn give_up(&mut self, count: usize) {
        for _ in 0..count {
            let Some((own, _)) = self.ring.take_unsent() else { break };
            self.ring.forget(own.wire());
            self.pushed.remove(&own.extended());
        }
    }

    /// A number from the wire may be answered only with what was last sent under it.
    fn ask(&self, wire: u16) -> Result<(), TestCaseError> {
        if let Some(entry) = self.ring.sent(Serial16::new(wire)) {
            let latest = self.pushed.iter().rev().find(|&(&own, _)| Seq::new(own).wire().wire() == wire);
            prop_assert_eq!(latest.map(|(_, known)| known.position), Some(entry.position));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.pool.held_bytes(), self.ring.bytes());
        prop_assert!(self.ring.bytes() <= ENTRIES_MAX * 12);
        let waiting = self.pushed.iter().filter(|(_, known)| !known.sent).map(|(&own, _)| own);
        let waiting: Vec<u64> = waiting.collect();
        prop_assert_eq!(self.ring.unsent().map(|(own, _)| own.extended()).collect::<Vec<_>>(), &waiting[..]);
        prop_assert_eq!(self.ring.unsent_count() as usize, waiting.len());
        for (&own, known) in self.pushed.iter().rev().take(200) {
            let answer = sent_position(&self.ring, own);
            prop_assert!(answer.is_none() || known.sent && answer == Some(known.position));
            if known.sent && self.now.since(known.at) < RETAIN && self.next - own < ENTRIES_MAX as u64 {
                prop_assert_eq!(answer, Some(known.position), "{} is young", own);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn answers_like_an_endless_list(start in 0..200_000_u64, steps in prop::collection::vec(step(), 1..600)) {
        let mut walk = Walk::new(start);
        for step in &steps {
            walk.apply(step)?;
            walk.check()?;
        }
    }
}
