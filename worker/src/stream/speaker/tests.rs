//! Conversations on a virtual clock: who is found to lead them, and when.

use proptest::prelude::*;

use super::*;

/// Somebody in a conversation, by what their microphone would tell.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Talks: syllables of 120 to 360 ms with short pauses.
    Talks,
    /// The hum of a room.
    Quiet,
    /// A muted microphone that still sends.
    Muted,
    /// Sends nothing.
    Absent,
    /// One level all the time.
    Constant(u8),
}

/// Several streams and one who watches them every 300 ms.
struct Room {
    now: Time,
    speeches: Vec<Speech>,
    /// Where each is in its syllable or pause: units left, whether it sounds.
    syllables: Vec<(u32, bool)>,
    leads: Option<usize>,
    random: u64,
}

impl Room {
    fn of(streams: usize, seed: u64) -> Self {
        let now = Time::from_millis(1_000);
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let speeches = vec![Speech::new(now); streams];
        Self { now, speeches, syllables: vec![(0, false); streams], leads: None, random }
    }

    fn draw(&mut self, from: u32, to: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        from + u32::try_from(self.random >> 33).unwrap() % (to - from + 1)
    }

    fn level(&mut self, who: usize, part: Part) -> Option<u8> {
        let drawn = |draw: u32| Some(u8::try_from(draw).unwrap());
        match part {
            Part::Absent => None,
            Part::Muted => Some(127),
            Part::Constant(level) => Some(level),
            Part::Quiet => drawn(self.draw(66, 72)),
            Part::Talks => {
                let (left, sounds) = self.syllables[who];
                let (left, sounds) = match (left, sounds) {
                    (0, true) => (self.draw(2, 8), false),
                    (0, false) => (self.draw(6, 18), true),
                    going_on => going_on,
                };
                self.syllables[who] = (left - 1, sounds);
                if sounds { drawn(self.draw(12, 35)) } else { drawn(self.draw(60, 75)) }
            }
        }
    }

    /// One packet of each, and a decision every 15th time.
    fn passes(&mut self, parts: &[Part], intervals: u32) -> Vec<usize> {
        let mut told = Vec::new();
        for _ in 0..intervals {
            for _ in 0..15 {
                for (who, part) in parts.iter().enumerate() {
                    if let Some(level) = self.level(who, *part) {
                        self.speeches[who].on_level(level, self.now);
                    }
                }
                self.now = self.now + UNIT;
            }
            told.extend(self.decides());
        }
        told
    }

    fn decides(&mut self) -> Option<usize> {
        let now = self.now;
        let scores: Vec<Scores> = self.speeches.iter_mut().map(|speech| speech.scores(now)).collect();
        let leads = self.leads.map_or(Scores::SILENCE, |who| scores[who]);
        let others = scores.into_iter().enumerate().filter(|(who, _)| Some(*who) != self.leads);
        let taken = leader(&leads, others);
        self.leads = taken.or(self.leads);
        taken
    }
}

#[test]
fn the_only_one_who_talks_leads_within_ten_intervals_whatever_the_others_send() {
    for seed in 0..80 {
        let mut room = Room::of(5, seed);
        let hum = Part::Constant(30);
        room.passes(&[Part::Quiet, Part::Quiet, Part::Muted, Part::Absent, hum], 5);
        assert_eq!(room.leads, None, "nobody leads a silent room");
        let told = room.passes(&[Part::Quiet, Part::Talks, Part::Muted, Part::Absent, hum], 10);
        assert_eq!(told, [1], "seed {seed}");
    }
}

#[test]
fn whoever_goes_on_talking_leads_when_the_first_falls_silent() {
    for silence in [Part::Quiet, Part::Muted, Part::Absent] {
        for seed in 0..80 {
            let mut room = Room::of(3, seed);
            room.passes(&[Part::Talks, Part::Quiet, Part::Quiet], 20);
            assert_eq!(room.leads, Some(0));
            let told = room.passes(&[silence, Part::Quiet, Part::Talks], 15);
            assert_eq!(told, [2], "seed {seed}");
        }
    }
}

#[test]
fn a_cough_while_another_talks_does_not_take_over() {
    for seed in 0..100 {
        let mut room = Room::of(2, seed);
        room.passes(&[Part::Talks, Part::Quiet], 30);
        // 200 ms, as loud as can be, at any moment of an interval.
        for moment in 0..15 {
            for unit in 0..60 {
                let talks = room.level(0, Part::Talks).unwrap();
                let coughs = (moment..moment + 10).contains(&unit);
                let (now, quiet) = (room.now, room.level(1, Part::Quiet).unwrap());
                room.speeches[0].on_level(talks, now);
                room.speeches[1].on_level(if coughs { 0 } else { quiet }, now);
                room.now = room.now + UNIT;
                if unit % 15 == 14 {
                    assert_eq!(room.decides(), None, "seed {seed}, moment {moment}");
                }
            }
        }
        assert_eq!(room.leads, Some(0));
    }
}

#[test]
fn one_constant_sound_is_noise() {
    let mut room = Room::of(2, 1);
    let told = room.passes(&[Part::Constant(10), Part::Quiet], 100);
    assert_eq!(told, []);
}

#[test]
fn noise_that_grows_is_noise_again_a_few_windows_later_and_speech_above_it_still_leads() {
    let mut room = Room::of(2, 3);
    room.passes(&[Part::Quiet, Part::Quiet], 10);
    // A fan at -45 dBov begins: it counts until it is known for noise.
    room.passes(&[Part::Constant(45), Part::Quiet], 300);
    let now = room.now;
    assert_eq!(room.speeches[0].scores(now), Scores::SILENCE);
    let told = room.passes(&[Part::Constant(45), Part::Talks], 10);
    assert_eq!((told.len(), room.leads), (1, Some(1)));
}

#[test]
fn bursts_after_a_pause_of_the_network_count_as_what_they_hold() {
    let mut steady = Speech::new(Time::from_millis(0));
    let mut bursty = steady.clone();
    for packet in 0_u64..200 {
        let level = if packet % 20 < 15 { 20 } else { 70 };
        steady.on_level(level, Time::from_millis(packet * 20));
        // Four at a time.
        bursty.on_level(level, Time::from_millis((packet / 4 * 4 + 3) * 20));
    }
    let now = Time::from_millis(200 * 20);
    let (mut steady_active, mut bursty_active) = (steady.units, bursty.units);
    steady_active.sort_unstable();
    bursty_active.sort_unstable();
    assert_eq!(steady_active, bursty_active);
    assert!(bursty.until.since(now) <= LEAD_MAX);
}

#[test]
fn longer_packets_fill_the_time_that_they_hold_and_silence_the_rest() {
    for every in [20_u64, 40, 60] {
        let mut speech = Speech::new(Time::from_millis(0));
        (0..3_000 / every).for_each(|packet| speech.on_level(20, Time::from_millis(packet * every)));
        assert!(speech.units.iter().all(|loudness| *loudness == 107), "a packet every {every} ms");
        speech.scores(Time::from_millis(3_000 + 500));
        let silent = speech.units.iter().filter(|loudness| **loudness == 0).count();
        assert!((24..=27).contains(&silent), "{silent} units of half a second");
    }
}

#[test]
fn more_packets_than_time_has_room_for_only_make_the_newest_louder() {
    let mut speech = Speech::new(Time::from_millis(0));
    let now = Time::from_millis(40);
    (0..1_000).for_each(|_| speech.on_level(90, now));
    speech.on_level(5, now);
    assert!(speech.until.since(now) <= LEAD_MAX + UNIT);
    assert_eq!(speech.units.iter().max(), Some(&122));
    assert_eq!(speech.units.iter().filter(|loudness| **loudness > 37).count(), 1);
}

#[test]
fn after_an_hour_a_stream_begins_anew() {
    let mut speech = Speech::new(Time::from_millis(0));
    (0_u64..100).for_each(|packet| speech.on_level(60, Time::from_millis(packet * 20)));
    assert_eq!(speech.floor.loudness, 67);
    let later = Time::from_millis(2_000 + 3_600_000);
    speech.scores(later);
    speech.on_level(20, later);
    assert_eq!((speech.floor.loudness, speech.heard_at), (107, later));
}

#[test]
fn scores_are_those_of_the_formula() {
    // ln C(5, 5) + 5 ln 0.5 - ln 24 + 24 * 5, by hand.
    assert!((score(5, 5, 24.0) - 113.356_3).abs() < 1e-3);
    // ln C(13, 8) + 13 ln 0.5 - ln 0.78 + 0.78 * 8.
    assert!((score(8, 13, 0.78) - 4.637_6).abs() < 1e-3);
    assert_eq!(score(0, 13, 0.78).to_bits(), SCORE_MIN.to_bits());
    assert!((1..=10).all(|count| score(count, 10, LONG_RATE) > score(count - 1, 10, LONG_RATE)));
}

proptest! {
    #![proptest_config(super::super::model_config())]

    /// Whatever comes whenever, even with time that stands still or leaps: records stay near the clock, measures in
    /// their ranges and scores finite; nobody but those who are there is chosen; all of it can be repeated.
    #[test]
    fn measures_stay_in_their_ranges_whatever_comes(
        steps in prop::collection::vec((any::<u8>(), 0usize..3, prop_oneof![0u64..50, 0u64..5_000_000]), 1..300)
    ) {
        let mut speeches = vec![Speech::new(Time::from_millis(0)); 3];
        let mut now = 0;
        let mut leads = None;
        for (level, who, millis) in steps {
            now += millis;
            let at = Time::from_millis(now);
            let speech = &mut speeches[who];
            speech.on_level(level, at);
            prop_assert!(speech.until.since(at) <= LEAD_MAX + UNIT && at.since(speech.until) <= UNIT);
            prop_assert!(speech.units.iter().all(|loudness| *loudness <= LOUDNESS_MAX));
            prop_assert!(speech.floor.loudness <= LOUDNESS_MAX && speech.floor.units < FLOOR_WINDOW_UNITS);
            let mut repeated = speeches.clone();
            let scores: Vec<Scores> = speeches.iter_mut().map(|speech| speech.scores(at)).collect();
            for (speech, scores) in speeches.iter().zip(&scores) {
                let [newest, medium, long] = speech.measures();
                prop_assert!(newest < BANDS && medium <= UNITS_OF_PART && long <= PARTS);
                for score in [scores.immediate, scores.medium, scores.long] {
                    prop_assert!(score.is_finite() && score >= SCORE_MIN);
                }
            }
            let again: Vec<Scores> = repeated.iter_mut().map(|speech| speech.scores(at)).collect();
            prop_assert_eq!(&again, &scores);
            let now_leads = leads.map_or(Scores::SILENCE, |who: usize| scores[who]);
            let taken = leader(&now_leads, scores.into_iter().enumerate());
            prop_assert!(taken.is_none_or(|who| who < 3 && Some(who) != leads), "nobody is ahead of themselves");
            leads = taken.or(leads);
        }
    }
}
