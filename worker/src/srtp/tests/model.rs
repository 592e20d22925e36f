//! Sender and receiver over many wraps, with loss, reordering, resends and replays, against a list of all that was sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What happens next on the way.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// This many numbers are passed over, the next is sent, and arrives or not.
    Send(u16, bool),
    /// One of the last packets is sent again, or one of those passed over for the first time; it arrives.
    Resend(u16),
    /// One of the packets that were sent arrives, again or late.
    Late(usize),
    /// A forged packet with any sequence number arrives.
    Forged(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u16..30, any::<bool>()).prop_map(|(skipped, arrives)| Step::Send(skipped, arrives)),
        // Together less than half a cycle between two that arrive, else no receiver can know.
        1 => (0_u16..20_000).prop_map(|skipped| Step::Send(skipped, true)),
        2 => (0_u16..400).prop_map(Step::Resend),
        2 => (0_usize..60).prop_map(Step::Late),
        1 => any::<u16>().prop_map(Step::Forged),
    ];
    proptest::collection::vec(step, 40..160)
}

fn suite() -> impl Strategy<Value = Suite> {
    (0..Suite::ALL.len()).prop_map(|place| Suite::ALL[place])
}

/// The packet with this extended number: only its low 16 bits are on the wire.
fn numbered(extended: u64) -> Vec<u8> {
    rtp(7, u16::try_from(extended & 0xFFFF).unwrap(), &extended.to_be_bytes())
}

/// Both ends, and what they should know of each other.
struct Model {
    first: u64,
    sender: Protect,
    receiver: Unprotect,
    sent: BTreeMap<u64, Vec<u8>>,
    taken: BTreeSet<u64>,
}

impl Model {
    fn newest(&self) -> u64 {
        *self.sent.last_key_value().unwrap().0
    }

    fn send(&mut self, extended: u64) {
        let packet = protect(&mut self.sender, &numbered(extended)).unwrap();
        let before = self.sent.insert(extended, packet.clone());
        assert!(before.is_none_or(|before| before == packet), "sent again it is the same bytes");
    }

    fn receive(&mut self, extended: u64) {
        let newest = self.taken.last().copied().unwrap_or(extended);
        let is_new = !self.taken.contains(&extended) && newest.saturating_sub(extended) < 1_024;
        match open(&mut self.receiver, &self.sent[&extended]) {
            Ok(plain) => {
                assert!(is_new && plain == numbered(extended));
                self.taken.insert(extended);
            }
            Err(refused) => assert!(!is_new && refused == UnprotectError::Replayed, "{refused:?}"),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send(skipped, arrives) => {
                let extended = self.newest() + 1 + u64::from(skipped);
                self.send(extended);
                if arrives {
                    self.receive(extended);
                }
            }
            Step::Resend(age) => {
                let extended = self.newest().saturating_sub(age.into()).max(self.first);
                self.send(extended);
                self.receive(extended);
            }
            Step::Late(back) => {
                let late = self.sent.keys().rev().nth(back).copied();
                // Half a cycle old is another index to any receiver: not what a network does.
                if let Some(late) = late.filter(|late| self.newest() - late < 30_000) {
                    self.receive(late);
                }
            }
            Step::Forged(sequence) => {
                let tag_bytes = self.sender.suite().rtp_tag_bytes();
                let forged = [rtp(7, sequence, &[0; 8]), vec![0; tag_bytes]].concat();
                assert!(open(&mut self.receiver, &forged).is_err());
            }
        }
    }
}

proptest! {
    #![proptest_config(model_config())]

    #[test]
    fn each_packet_is_taken_once_under_its_own_index(suite in suite(), first in 0_u64..32_768, steps in steps()) {
        let (sender, receiver) = pair(suite);
        let mut model = Model { first, sender, receiver, sent: BTreeMap::new(), taken: BTreeSet::new() };
        model.send(first);
        model.receive(first);
        for step in steps {
            model.step(step);
        }
    }
}
