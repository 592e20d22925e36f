//! Tests of the ring's rules one by one. All of them against an endless list: `model.rs`.

use std::collections::BTreeMap;

use super::*;

pub(super) const RETAIN: Duration = Duration::from_millis(500);

pub(super) fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

const REWRITE: Rewrite = Rewrite { timestamp_offset: 90, deltas: 7, segment: 1, padding: 3 };

pub(super) fn entry(position: u32) -> Entry {
    Entry::new(position, REWRITE)
}

pub(super) fn big_pool() -> Pool {
    Pool::new(16 << 20)
}

fn push(ring: &mut SentRing, own: u64, at: u64, pool: &mut Pool) -> Result<(), PushError> {
    ring.push(Seq::new(own), entry(u32::try_from(own).unwrap_or(0)), ms(at), RETAIN, pool)
}

fn send_all(ring: &mut SentRing) {
    while ring.take_unsent().is_some() {}
}

fn first_unsent(ring: &SentRing) -> Option<Seq> {
    ring.unsent().next().map(|(own, _)| own)
}

pub(super) fn sent_position(ring: &SentRing, own: u64) -> Option<u32> {
    ring.sent(Seq::new(own).wire()).map(|entry| entry.position)
}

#[test]
fn a_number_can_be_asked_for_only_after_it_was_sent() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 1_000, 0, &mut pool).unwrap();
    assert_eq!(sent_position(&ring, 1_000), None);
    let taken = ring.take_unsent().unwrap();
    let sent = ring.sent(Serial16::new(1_000)).unwrap();
    assert_eq!((sent.position, sent.rewrite(90)), (1_000, REWRITE));
    assert_eq!((taken, ring.take_unsent()), ((Seq::new(1_000), sent), None), "not waiting any more");
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
    assert_eq!((first_unsent(&ring), sent_position(&ring, 1_001)), (Some(Seq::new(1_001)), None));
}

#[test]
fn nothing_can_be_read_under_any_number_where_one_was_forgotten() {
    for own in [1_008, 1_009, 1_023] {
        let (mut ring, mut pool) = (SentRing::new(), big_pool());
        push(&mut ring, own, 0, &mut pool).unwrap();
        ring.take_unsent().unwrap();
        ring.forget(Seq::new(own).wire());
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
fn only_the_very_number_that_was_taken_is_forgotten() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    push(&mut ring, 65_536, 0, &mut pool).unwrap();
    push(&mut ring, 65_537, 0, &mut pool).unwrap();
    ring.take_unsent().unwrap();
    // Another number of its slot, and one that waits still.
    [16, 1].into_iter().for_each(|own| ring.forget(Serial16::new(own)));
    assert_eq!((sent_position(&ring, 65_536), first_unsent(&ring)), (Some(65_536), Some(Seq::new(65_537))));
    ring.forget(Serial16::new(0));
    assert_eq!(sent_position(&ring, 65_536), None);
}

#[test]
fn what_waits_is_sent_in_order_with_late_packets_in_their_place() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in [10, 12, 13, 11] {
        push(&mut ring, own, 0, &mut pool).unwrap();
    }
    let waiting: Vec<u64> = ring.unsent().map(|(own, _)| own.extended()).collect();
    assert_eq!(waiting, [10, 11, 12, 13]);
    assert_eq!(ring.take_unsent().map(|(own, _)| own), Some(Seq::new(10)));
    ring.forget(Serial16::new(10));
    assert_eq!(first_unsent(&ring), Some(Seq::new(11)));
    send_all(&mut ring);
    assert_eq!((ring.unsent_count(), first_unsent(&ring)), (0, None));
    assert_eq!(sent_position(&ring, 10), None, "was never sent");
    push(&mut ring, 10, 1, &mut pool).unwrap();
    assert_eq!(first_unsent(&ring), Some(Seq::new(10)), "late, behind the cursor");
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
        assert_eq!(first_unsent(&ring), Some(Seq::new(own)), "it waits in its place");
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
    assert_eq!(first_unsent(&ring), Some(Seq::new(1_300)));
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
    ring.take_unsent().unwrap();
    ring.forget(Serial16::new(0));
    push(&mut ring, 4_096, 50_000, &mut pool).unwrap();
    ring.clear(&mut pool);
    assert_eq!((pool.held_bytes(), ring.unsent_count()), (0, 0));
}

#[test]
fn without_budget_the_history_is_shorter_and_never_loses_what_waits() {
    let (mut ring, mut pool) = (SentRing::new(), Pool::new(ENTRIES_MIN * 12));
    for own in 0..100 {
        push(&mut ring, own, 0, &mut pool).unwrap();
        ring.take_unsent().unwrap();
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

#[test]
fn a_ring_that_is_full_to_its_last_slot_takes_what_fits_and_nothing_twice() {
    let (mut ring, mut pool) = (SentRing::new(), big_pool());
    for own in 0..16 {
        push(&mut ring, own, 0, &mut pool).unwrap();
    }
    assert_eq!(push(&mut ring, 0, 0, &mut pool), Err(PushError::Taken), "the oldest of sixteen");
    assert_eq!(push(&mut ring, 31, 0, &mut pool), Ok(()), "thirty-two numbers, and as many slots");
    assert_eq!((ring.bytes(), ring.unsent_count()), (32 * 12, 17));
    assert_eq!(push(&mut ring, 0, 0, &mut pool), Err(PushError::Taken));
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
