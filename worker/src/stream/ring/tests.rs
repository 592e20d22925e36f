//! Tests of the ring: its rules one by one, and all of them against an endless list.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const RETAIN: Duration = Duration::from_millis(500);

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn entry(position: u32) -> Entry {
    Entry::new(position, Rewrite { timestamp_offset: 90, deltas: 7, segment: 1, padding: 0 })
}

fn big_pool() -> Pool {
    Pool::new(16 << 20)
}

fn push(ring: &mut SentRing, own: u64, at: u64, pool: &mut Pool) -> Result<(), PushError> {
    ring.push(Seq::new(own), entry(u32::try_from(own).unwrap_or(0)), ms(at), RETAIN, pool)
}

fn send_all(ring: &mut SentRing) {
    while let Some((own, _)) = ring.first_unsent() {
        assert!(ring.mark_sent(own, 0));
    }
}

fn sent_position(ring: &SentRing, own: u64) -> Option<u32> {
    ring.sent(Seq::new(own).wire()).map(|entry| entry.position)
}

#[test]
fn a_number_can_be_asked_for_only_after_it_was_sent() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 1_000, 0, &mut pool).unwrap();
    assert_eq!(sent_position(&ring, 1_000), None);
    assert!(ring.mark_sent(Seq::new(1_000), 3));
    let sent = ring.sent(Serial16::new(1_000)).unwrap();
    let rewrite = Rewrite { timestamp_offset: 90, deltas: 7, segment: 1, padding: 3 };
    assert_eq!((sent.position, sent.rewrite(90)), (1_000, rewrite), "padded when sealed");
    assert!(!ring.mark_sent(Seq::new(1_000), 3), "not waiting any more");
    assert_eq!(sent_position(&ring, 999), None);
    assert_eq!(sent_position(&ring, 1_016), None, "same slot, another number");
}

#[test]
fn a_hole_does_not_show_what_was_there_a_cycle_ago() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 0, 0, &mut pool).unwrap();
    // Ten packets a second: the ring stays at 16. Every number of the first one's slot is lost from now on.
    for own in (1..65_540_u64).filter(|own| own % 16 != 0) {
        push(&mut ring, own, own * 100, &mut pool).unwrap();
        send_all(&mut ring);
    }
    assert_eq!(ring.bytes(), 16 * 12);
    assert_eq!(sent_position(&ring, 65_536), None);
    assert_eq!(push(&mut ring, 65_536, 6_554_000, &mut pool), Ok(()));
}

#[test]
fn what_was_sent_waits_again_when_it_is_pushed_under_another_number() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 1_000, 0, &mut pool).unwrap();
    send_all(&mut ring);
    let sent = ring.sent(Serial16::new(1_000)).unwrap();
    ring.push(Seq::new(1_001), sent, ms(0), RETAIN, &mut pool).unwrap();
    assert_eq!((ring.first_unsent().unwrap().0, sent_position(&ring, 1_001)), (Seq::new(1_001), None));
}

#[test]
fn nothing_can_be_read_under_any_number_where_one_was_forgotten() {
    for own in [1_008, 1_009, 1_023] {
        let (mut ring, mut pool) = (SentRing::new(), big_pool());
        push(&mut ring, own, 0, &mut pool).unwrap();
        assert!(ring.forget_unsent(Seq::new(own)));
        assert!((0..=u16::MAX).all(|wire| ring.sent(Serial16::new(wire)).is_none()), "{own}");
    }
}

#[test]
fn nothing_can_be_read_under_any_number_where_some_were_jumped_over() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 1_016, 0, &mut pool).unwrap();
    push(&mut ring, 1_040, 0, &mut pool).unwrap();
    send_all(&mut ring);
    let readable = (0..=u16::MAX).filter(|&wire| ring.sent(Serial16::new(wire)).is_some());
    assert_eq!(readable.collect::<Vec<_>>(), [1_016, 1_040]);
}

#[test]
fn a_number_a_cycle_away_is_another_number() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 65_536, 0, &mut pool).unwrap();
    assert!(!ring.mark_sent(Seq::new(0), 0));
    assert!(!ring.forget_unsent(Seq::new(131_072)));
    assert!(ring.mark_sent(Seq::new(65_536), 0));
}

#[test]
fn what_waits_is_sent_in_order_with_late_packets_in_their_place() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in [10, 12, 13, 11] {
        push(&mut ring, own, 0, &mut pool).unwrap();
    }
    let waiting: Vec<u64> = ring.unsent().map(|(own, _)| own.extended()).collect();
    assert_eq!(waiting, [10, 11, 12, 13]);
    assert!(ring.mark_sent(Seq::new(12), 0), "out of turn");
    assert!(ring.forget_unsent(Seq::new(10)));
    assert_eq!(ring.first_unsent().unwrap().0, Seq::new(11));
    send_all(&mut ring);
    assert_eq!((ring.unsent_count(), ring.first_unsent()), (0, None));
    assert_eq!(sent_position(&ring, 10), None, "was never sent");
    push(&mut ring, 10, 1, &mut pool).unwrap();
    assert_eq!(ring.first_unsent().unwrap().0, Seq::new(10), "late, behind the cursor");
}

#[test]
fn a_late_packet_finds_its_hole_however_short_the_ring_is() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    // A consumer that cannot ask: nothing is kept beyond the turn.
    for own in (1_000..6_000_u64).filter(|own| own % 5 != 0 || *own < 2_000) {
        ring.push(Seq::new(own), entry(0), ms(own), Duration::ZERO, &mut pool).unwrap();
        send_all(&mut ring);
    }
    assert_eq!(ring.bytes(), ENTRIES_MIN * 12);
    for (own, slots) in [(5_980, 32), (5_985, 32), (4_500, 2_048), (1_904, ENTRIES_MAX)] {
        ring.push(Seq::new(own), entry(9), ms(6_000), Duration::ZERO, &mut pool).unwrap();
        assert_eq!(ring.first_unsent().map(|(own, _)| own), Some(Seq::new(own)), "it waits in its place");
        send_all(&mut ring);
        assert_eq!((sent_position(&ring, own), ring.bytes()), (Some(9), slots * 12), "{own}");
    }
    let too_late = ring.push(Seq::new(1_903), entry(9), ms(6_000), Duration::ZERO, &mut pool);
    assert_eq!(too_late, Err(PushError::TooLate));
    for second in 7..80 {
        ring.shrink(ms(second * 1_000), Duration::ZERO, &mut pool);
    }
    assert_eq!((ring.bytes(), pool.held_bytes()), (0, 0), "what lateness took goes back");
}

#[test]
fn a_late_packet_is_young() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in (1_000..1_200).filter(|own| *own != 1_010) {
        push(&mut ring, own, own * 10, &mut pool).unwrap();
    }
    push(&mut ring, 1_010, 12_000, &mut pool).unwrap();
    for own in 1_200..1_249 {
        push(&mut ring, own, own * 10, &mut pool).unwrap();
    }
    send_all(&mut ring);
    assert_eq!(sent_position(&ring, 1_010), Some(1_010), "490 ms after it was sent");
}

#[test]
fn a_late_packet_without_budget_is_refused_and_changes_nothing() {
    let (mut ring, mut pool) = (SentRing::new(), Pool::new(ENTRIES_MIN * 12));
    push(&mut ring, 1_000, 0, &mut pool).unwrap();
    send_all(&mut ring);
    push(&mut ring, 1_100, 600, &mut pool).unwrap();
    assert_eq!(push(&mut ring, 1_050, 600, &mut pool), Err(PushError::Budget));
    assert_eq!(push(&mut ring, 1_090, 600, &mut pool), Ok(()));
    send_all(&mut ring);
    assert_eq!((sent_position(&ring, 1_090), sent_position(&ring, 1_050)), (Some(1_090), None));
}

#[test]
fn a_number_is_used_once() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 10, 0, &mut pool).unwrap();
    push(&mut ring, 11, 0, &mut pool).unwrap();
    assert_eq!(push(&mut ring, 10, 0, &mut pool), Err(PushError::Taken));
    assert_eq!(push(&mut ring, 11, 0, &mut pool), Err(PushError::Taken));
    assert_eq!(ring.unsent_count(), 2);
}

#[test]
fn resends_wait_a_round_trip() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    let own = Serial16::new(10);
    push(&mut ring, 10, 65_530, &mut pool).unwrap();
    ring.mark_resent(own, ms(65_530));
    send_all(&mut ring);
    let rtt = Some(Duration::from_millis(40));
    let sent = ring.sent(own).unwrap();
    assert!(sent.may_resend(ms(65_531), rtt) && !sent.was_resent(), "not resent yet");
    ring.mark_resent(own, ms(65_533));
    let resent = ring.sent(own).unwrap();
    assert!(resent.was_resent());
    assert!(!resent.may_resend(ms(65_533 + 39), rtt), "over the wrap of the coarse time");
    assert!(resent.may_resend(ms(65_533 + 40), rtt));
    assert!(!resent.may_resend(ms(65_533 + 99), None));
    assert!(resent.may_resend(ms(65_533 + 100), None));
    assert!(resent.may_resend(ms(65_533 + 2_000), Some(Duration::MAX)));
    assert!(!resent.may_resend(ms(65_533 + 9), Some(Duration::ZERO)), "a peer may report any round trip");
    assert!(resent.may_resend(ms(65_533 + 10), Some(Duration::ZERO)));
}

#[test]
fn nothing_young_is_overwritten_and_nothing_old_is_kept_for_long() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    // 300 packets/s with a burst of 200 every two seconds.
    let mut own = 1_000;
    let mut pushed = Vec::new();
    for at in (0..20_000_u64).step_by(10) {
        let burst = if at % 2_000 == 0 { 200 } else { 3 };
        for _ in 0..burst {
            push(&mut ring, own, at, &mut pool).unwrap();
            pushed.push((own, at));
            own += 1;
        }
        send_all(&mut ring);
        for &(number, _) in pushed.iter().rev().take_while(|&&(_, then)| then + 500 > at) {
            assert_eq!(sent_position(&ring, number), Some(u32::try_from(number).unwrap()));
        }
    }
    assert_eq!(ring.bytes(), 512 * 12);
    assert_eq!(pool.held_bytes(), ring.bytes());
}

#[test]
fn the_ring_follows_the_load_down_and_an_idle_one_is_empty() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in 0..1_000 {
        push(&mut ring, own, 0, &mut pool).unwrap();
    }
    send_all(&mut ring);
    assert_eq!(ring.bytes(), 1_024 * 12);
    for step in 0..300_u64 {
        push(&mut ring, 1_000 + step, 100 + step * 50, &mut pool).unwrap();
        send_all(&mut ring);
        ring.shrink(ms(100 + step * 50), RETAIN, &mut pool);
    }
    assert_eq!(ring.bytes(), 256 * 12, "halved twice in 15 s");
    assert_eq!(sent_position(&ring, 1_295), Some(1_295), "what is kept moved along");
    for second in 16..27 {
        ring.shrink(ms(second * 1_000), RETAIN, &mut pool);
    }
    assert_eq!((ring.bytes(), pool.held_bytes()), (0, 0));
    assert_eq!(sent_position(&ring, 1_299), None);
    push(&mut ring, 1_300, 30_000, &mut pool).unwrap();
    assert_eq!(ring.first_unsent().unwrap().0, Seq::new(1_300));
}

#[test]
fn a_ring_of_old_numbers_is_kept_for_five_seconds_to_the_millisecond() {
    // A number is old for certain five quarters of the retention after it was pushed, however often one looks.
    for looks in [&[624, 625][..], &[125, 250, 375, 500, 624, 625], &[130, 250, 375, 500, 625]] {
        let (mut ring, mut pool) = (SentRing::new(), big_pool());
        push(&mut ring, 1_000, 0, &mut pool).unwrap();
        send_all(&mut ring);
        for &at in looks.iter().chain(&[5_624]) {
            ring.shrink(ms(at), RETAIN, &mut pool);
            assert_eq!(ring.bytes(), ENTRIES_MIN * 12, "at {at} ms");
        }
        ring.shrink(ms(5_625), RETAIN, &mut pool);
        assert_eq!(ring.bytes(), 0, "after {looks:?}");
    }
}

#[test]
fn the_shortest_ring_is_not_halved_while_a_number_is_young() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for step in 0..100_u64 {
        push(&mut ring, 1_000 + step, step * 200, &mut pool).unwrap();
        send_all(&mut ring);
        ring.shrink(ms(step * 200), RETAIN, &mut pool);
        assert_eq!(ring.bytes(), ENTRIES_MIN * 12);
    }
}

#[test]
fn a_resend_is_remembered_whatever_the_coarse_time_reads() {
    for at in [65_535, 65_536, 65_537, 65_538] {
        let (mut ring, mut pool) = (SentRing::new(), big_pool());
        let own = Serial16::new(10);
        push(&mut ring, 10, at, &mut pool).unwrap();
        send_all(&mut ring);
        ring.mark_resent(own, ms(at));
        let resent = ring.sent(own).unwrap();
        let rtt = Some(Duration::from_millis(40));
        assert!(resent.was_resent() && !resent.may_resend(ms(at + 39), rtt), "at {at} ms");
    }
}

#[test]
fn a_pacer_that_never_sends_is_bounded() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in 0..ENTRIES_MAX as u64 {
        push(&mut ring, own, own * 10, &mut pool).unwrap();
    }
    assert_eq!(push(&mut ring, 4_096, 50_000, &mut pool), Err(PushError::Unsent));
    assert_eq!((ring.bytes(), ring.unsent().count()), (ENTRIES_MAX * 12, ENTRIES_MAX));
    ring.forget_unsent(Seq::new(0));
    push(&mut ring, 4_096, 50_000, &mut pool).unwrap();
    ring.clear(&mut pool);
    assert_eq!((pool.held_bytes(), ring.unsent_count()), (0, 0));
}

#[test]
fn without_budget_the_history_is_shorter_and_never_loses_what_waits() {
    let (mut ring, mut pool) = (SentRing::new(), Pool::new(ENTRIES_MIN * 12));
    for own in 0..100 {
        push(&mut ring, own, 0, &mut pool).unwrap();
        ring.mark_sent(Seq::new(own), 0);
    }
    assert_eq!((sent_position(&ring, 83), sent_position(&ring, 84)), (None, Some(84)));
    for own in 100..116 {
        push(&mut ring, own, 0, &mut pool).unwrap();
    }
    assert_eq!(push(&mut ring, 116, 0, &mut pool), Err(PushError::Budget));
    assert_eq!(ring.unsent().count(), 16);
    let mut none = Pool::new(0);
    assert_eq!(push(&mut SentRing::new(), 0, 0, &mut none), Err(PushError::Budget));
}

/// Every number pushed since the last clear, with what the ring should know of it.
#[derive(Default)]
struct Model {
    pushed: BTreeMap<u64, Known>,
    next: u64,
}

#[derive(Clone, Copy)]
struct Known {
    position: u32,
    at: Time,
    sent: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Push(u64),
    PushLate(u64),
    Send(usize),
    SendOutOfTurn(usize),
    Wait(u64),
    Shrink,
    Clear,
    Ask(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => Just(Op::Push(0)),
        6 => (0..60_u64).prop_map(Op::Push),
        1 => (0..2_999_u64).prop_map(Op::Push),
        8 => (1..90_u64).prop_map(Op::PushLate),
        2 => (1..5_000_u64).prop_map(Op::PushLate),
        12 => (1..40_usize).prop_map(Op::Send),
        4 => (0..8_usize).prop_map(Op::SendOutOfTurn),
        10 => (0..40_u64).prop_map(Op::Wait),
        1 => (0..9_000_u64).prop_map(Op::Wait),
        4 => Just(Op::Shrink),
        1 => Just(Op::Clear),
        6 => any::<u16>().prop_map(Op::Ask),
    ]
}

impl Model {
    fn check(&self, ring: &SentRing, now: Time) -> Result<(), TestCaseError> {
        let waiting: Vec<u64> =
            self.pushed.iter().filter(|(_, known)| !known.sent).map(|(&own, _)| own).collect();
        prop_assert_eq!(ring.unsent().map(|(own, _)| own.extended()).collect::<Vec<_>>(), &waiting[..]);
        prop_assert_eq!(ring.unsent_count() as usize, waiting.len());
        for (&own, known) in self.pushed.iter().rev().take(200) {
            let answer = sent_position(ring, own);
            prop_assert!(answer.is_none() || known.sent && answer == Some(known.position));
            if known.sent && now.since(known.at) < RETAIN && self.next - own < ENTRIES_MAX as u64 {
                prop_assert_eq!(answer, Some(known.position), "{} is young", own);
            }
        }
        Ok(())
    }

    /// A number from the wire may be answered only with what was last sent under it.
    fn check_answer(&self, ring: &SentRing, wire: u16) -> Result<(), TestCaseError> {
        if let Some(entry) = ring.sent(Serial16::new(wire)) {
            let latest = self.pushed.iter().rev().find(|&(&own, _)| Seq::new(own).wire().wire() == wire);
            prop_assert_eq!(latest.map(|(_, known)| known.position), Some(entry.position));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn answers_like_an_endless_list(start in 0..200_000_u64, ops in prop::collection::vec(op(), 1..600)) {
        let (mut ring, mut pool) = (SentRing::new(), big_pool());
        let mut model = Model { next: start, ..Model::default() };
        let mut now = ms(start * 3);
        let mut position = u32::MAX - 100;
        for op in ops {
            match op {
                Op::Push(gap) => {
                    let own = model.next + gap;
                    position = position.wrapping_add(1);
                    let result = ring.push(Seq::new(own), entry(position), now, RETAIN, &mut pool);
                    if result.is_ok() {
                        model.pushed.insert(own, Known { position, at: now, sent: false });
                        model.next = own + 1;
                    } else {
                        prop_assert_eq!(result, Err(PushError::Unsent));
                        let first = model.pushed.iter().find(|(_, known)| !known.sent).map(|(&own, _)| own);
                        prop_assert!(own - first.unwrap() >= ENTRIES_MAX as u64);
                    }
                }
                Op::PushLate(back) => {
                    let Some((&newest, _)) = model.pushed.last_key_value() else { continue };
                    let own = newest.saturating_sub(back);
                    position = position.wrapping_add(1);
                    let result = ring.push(Seq::new(own), entry(position), now, RETAIN, &mut pool);
                    let was = model.pushed.get(&own).copied();
                    match result {
                        // Only a number that was never used, or is so old that the ring has forgotten it.
                        Ok(()) => {
                            prop_assert!(was.is_none_or(|was| was.sent && now.since(was.at) >= RETAIN));
                            model.pushed.insert(own, Known { position, at: now, sent: false });
                        }
                        Err(PushError::TooLate) => prop_assert!(newest - own >= ENTRIES_MAX as u64),
                        Err(error) => prop_assert!(was.is_some() && error == PushError::Taken),
                    }
                }
                Op::Send(count) => {
                    for _ in 0..count {
                        let Some((own, entry)) = ring.first_unsent() else { break };
                        let known = model.pushed.get_mut(&own.extended()).unwrap();
                        prop_assert_eq!(entry.position, known.position);
                        prop_assert!(ring.mark_sent(own, 0));
                        known.sent = true;
                    }
                }
                Op::SendOutOfTurn(nth) => {
                    let nth = ring.unsent().nth(nth);
                    if let Some((own, _)) = nth {
                        prop_assert!(ring.mark_sent(own, 0));
                        model.pushed.get_mut(&own.extended()).unwrap().sent = true;
                    }
                }
                Op::Wait(millis) => now = now + Duration::from_millis(millis),
                Op::Shrink => {
                    ring.shrink(now, RETAIN, &mut pool);
                    prop_assert!(ring.bytes() > 0 || model.pushed.values().all(|known| known.sent));
                }
                Op::Clear => {
                    ring.clear(&mut pool);
                    model.pushed.clear();
                }
                Op::Ask(wire) => model.check_answer(&ring, wire)?,
            }
            prop_assert_eq!(pool.held_bytes(), ring.bytes());
            prop_assert!(ring.bytes() <= ENTRIES_MAX * 12);
            model.check(&ring, now)?;
        }
    }
}

#[test]
fn many_wraps_answer_only_for_the_newest_cycle() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    let mut newest = BTreeMap::new();
    for own in 30_000..30_000 + 5 * 65_536_u64 {
        // One number in seven is lost on the way in; one a round trip later comes late.
        if own % 7 == 3 {
            continue;
        }
        push(&mut ring, own, own / 2, &mut pool).unwrap();
        newest.insert(Seq::new(own).wire().wire(), own);
        send_all(&mut ring);
        if own % 7 == 6 && own % 2 == 0 {
            push(&mut ring, own - 3, own / 2, &mut pool).unwrap();
            newest.insert(Seq::new(own - 3).wire().wire(), own - 3);
            send_all(&mut ring);
        }
        let probe = u16::try_from(own * 31 % 65_536).unwrap();
        if let Some(entry) = ring.sent(Serial16::new(probe)) {
            assert_eq!(newest.get(&probe).copied(), Some(u64::from(entry.position)));
        }
        for back in [1, 2, 500, 998] {
            let asked = own - back.min(own - 30_000);
            let expected = newest.get(&Seq::new(asked).wire().wire()).filter(|&&own| own == asked);
            assert_eq!(sent_position(&ring, asked), expected.map(|&own| u32::try_from(own).unwrap()));
        }
    }
}
