//! Who leads a conversation: the dominant speaker identification of Volfin and Cohen ("Dominant speaker
//! identification for multipoint videoconferencing", Computer Speech and Language 27, 2013), on levels that senders tell
//! (RFC 6464) where the paper has sub-bands of a spectrum.
//!
//! A [`Speech`] is what one stream sounded like in the last second, in units of 20 ms. Three measures are taken of it,
//! each a count of active parts of the one before: the newest unit (how many of its 13 bands of 10 dB are filled), the
//! newest 100 ms (how many of its 5 units are speech), the whole second (how many of its 10 parts of 100 ms are speech
//! throughout). Each count becomes a score, the logarithm of how much likelier it is from speech than from silence. Somebody
//! takes over who is ahead of the one who leads in all three ([`leader`]): the first two see that the one who leads has
//! stopped and another talks, the third that this other one did so for longer: a cough in somebody's pause does not.
//!
//! What is loud all the time is noise: levels count only when they are `BAND_DB` above the quietest of the last 15 s.
//!
//! Knows levels and `now`. Does not know who speaks, nor packets. Owned by what observes a producer.
//! Invariant: the record is at most `LEAD_MAX` and a unit ahead of the last packet; nothing here allocates.

use std::time::Duration;

use crate::base::time::Time;

/// What one stream sounded like lately.
#[derive(Clone, Debug)]
pub struct Speech {
    /// Loudness of the last units, 0 (silence) to 127; the oldest is at `next`.
    units: [u8; UNITS],
    next: u8,
    floor: Floor,
    /// Up to when there are units.
    until: Time,
    /// When the last packet came.
    heard_at: Time,
}

const _: () = assert!(size_of::<Speech>() <= 72);

/// The quietest that a stream is, as an estimate of its noise.
#[derive(Clone, Copy, Debug, Default)]
struct Floor {
    /// 0: not known.
    loudness: u8,
    /// The least of this window so far; 0: none.
    candidate: u8,
    /// Units of this window so far.
    units: u16,
}

/// How much like speech something was, over three spans. Natural logarithms of likelihood ratios, never below
/// `SCORE_MIN`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    immediate: f64,
    medium: f64,
    long: f64,
}

impl Speech {
    /// Nothing was heard yet.
    pub fn new(now: Time) -> Self {
        Self { units: [0; UNITS], next: 0, floor: Floor::default(), until: now, heard_at: now }
    }

    /// A packet of this level (decibels below the loudest, 0 to 127) came at `now`.
    ///
    /// One packet is one unit; a packet that comes later than that fills the time since the last one, as long as it
    /// may hold so much. Packets that come early (a burst after a pause of the network) are taken in order, up to
    /// `LEAD_MAX` ahead of time; more of them can only make the newest unit louder.
    pub fn on_level(&mut self, below_full_db: u8, now: Time) {
        if now.since(self.heard_at) >= FORGOTTEN_AFTER {
            *self = Self::new(now);
        }
        self.heard_at = now;
        let gap = now.since(self.until);
        let loudness = LOUDNESS_MAX - below_full_db.min(LOUDNESS_MAX);
        if self.until.since(now) >= LEAD_MAX {
            self.raise_newest(loudness);
            return;
        }
        self.fill(gap, if gap <= PACKET_MAX { loudness } else { 0 });
        self.push(loudness);
    }

    /// The scores at `now`. A stream that has told nothing for `IDLE_AFTER` is silent since.
    pub fn scores(&mut self, now: Time) -> Scores {
        let gap = now.since(self.until);
        if gap > IDLE_AFTER {
            self.fill(gap, 0);
        }
        let [newest, medium, long] = self.measures();
        Scores {
            immediate: score(newest, BANDS, IMMEDIATE_RATE),
            medium: score(medium, UNITS_OF_PART, MEDIUM_RATE),
            long: score(long, PARTS, LONG_RATE),
        }
    }

    /// The three counts: filled bands of the newest unit, active units of the newest part, active parts.
    fn measures(&self) -> [u8; 3] {
        let next = usize::from(self.next);
        let least = self.floor.loudness.saturating_add(BAND_DB);
        let (newer, older) = self.units.split_at_checked(next).unwrap_or((&self.units, &[]));
        let newest_first = newer.iter().rev().chain(older.iter().rev());
        let bands = newest_first.map(|loudness| if *loudness < least { 0 } else { *loudness / BAND_DB });
        let (mut newest, mut medium, mut long, mut active) = (0, 0, 0, 0);
        for (at, bands) in bands.enumerate() {
            if at == 0 {
                newest = bands;
            }
            active += u8::from(bands > MEDIUM_THRESHOLD);
            if (at + 1).is_multiple_of(usize::from(UNITS_OF_PART)) {
                if at < usize::from(UNITS_OF_PART) {
                    medium = active;
                }
                long += u8::from(active > LONG_THRESHOLD);
                active = 0;
            }
        }
        [newest, medium, long]
    }

    /// Adds units of this loudness for as much time as is to be filled.
    fn fill(&mut self, time: Duration, loudness: u8) {
        let units = time.as_nanos() / UNIT.as_nanos();
        // More than the record holds leave no trace but silence.
        for _ in 0..units.min(UNITS as u128) {
            self.push(loudness);
        }
        let beyond = u32::try_from(units.saturating_sub(UNITS as u128)).unwrap_or(u32::MAX);
        self.until = self.until + UNIT.saturating_mul(beyond);
    }

    fn push(&mut self, loudness: u8) {
        if let Some(unit) = self.units.get_mut(usize::from(self.next)) {
            *unit = loudness;
        }
        self.next = if usize::from(self.next) + 1 < UNITS { self.next + 1 } else { 0 };
        self.until = self.until + UNIT;
        self.floor.on_unit(loudness);
    }

    fn raise_newest(&mut self, loudness: u8) {
        let newest = usize::from(self.next).checked_sub(1).unwrap_or(UNITS - 1);
        if let Some(unit) = self.units.get_mut(newest) {
            *unit = loudness.max(*unit);
        }
    }
}

impl Floor {
    /// Falls at once, rises once a window, half of the way (of the geometric mean) to the least of that window. Silence
    /// says nothing about noise.
    fn on_unit(&mut self, loudness: u8) {
        if loudness == 0 {
            return;
        }
        if self.loudness == 0 || loudness < self.loudness {
            *self = Self { loudness, candidate: 0, units: 0 };
            return;
        }
        self.candidate = if self.candidate == 0 { loudness } else { self.candidate.min(loudness) };
        self.units += 1;
        if self.units >= FLOOR_WINDOW_UNITS {
            let mean = (u16::from(self.loudness) * u16::from(self.candidate)).isqrt();
            let loudness = u8::try_from(mean).unwrap_or(LOUDNESS_MAX);
            *self = Self { loudness, candidate: 0, units: 0 };
        }
    }
}

impl Scores {
    /// Of who says nothing.
    pub const SILENCE: Self = Self { immediate: SCORE_MIN, medium: SCORE_MIN, long: SCORE_MIN };

    /// How far this is ahead of `other` in the 100 ms that decide; `None` when it does not suffice to take over.
    fn ahead_of(&self, other: &Self) -> Option<f64> {
        let medium = (self.medium / other.medium).ln();
        let takes_over =
            (self.immediate / other.immediate).ln() > C1 && medium > C2 && (self.long / other.long).ln() > C3;
        takes_over.then_some(medium)
    }
}

/// Who takes over from the one that leads now, of all others; nobody leads as one who is silent. Of several the one that
/// is furthest ahead, of equal ones the first.
pub fn leader<K>(leads: &Scores, others: impl Iterator<Item = (K, Scores)>) -> Option<K> {
    let mut best: Option<(K, f64)> = None;
    for (name, scores) in others {
        let Some(ahead) = scores.ahead_of(leads) else { continue };
        if best.as_ref().is_none_or(|(_, most)| ahead > *most) {
            best = Some((name, ahead));
        }
    }
    best.map(|(name, _)| name)
}

/// Log likelihood ratio of `count` active parts of `parts`: under speech they are binomial with even odds, under silence
/// they fall off exponentially with `rate`.
fn score(count: u8, parts: u8, rate: f64) -> f64 {
    let (count, parts) = (count.min(parts), f64::from(parts));
    let ways: f64 = (0..count).map(|taken| ((parts - f64::from(taken)) / f64::from(taken + 1)).ln()).sum();
    let score = ways - parts * std::f64::consts::LN_2 - rate.ln() + rate * f64::from(count);
    score.max(SCORE_MIN)
}

/// One step of the record; what most senders put into a packet.
const UNIT: Duration = Duration::from_millis(20);
/// Bands of a level (N1).
const BANDS: u8 = 13;
/// Units of a part (N2).
const UNITS_OF_PART: u8 = 5;
/// Parts of the record (N3).
const PARTS: u8 = 10;
/// Units of the record.
const UNITS: usize = UNITS_OF_PART as usize * PARTS as usize;
const LOUDNESS_MAX: u8 = 127;
/// So that `BANDS` hold all of a level.
const BAND_DB: u8 = LOUDNESS_MAX.div_ceil(BANDS);
/// A unit with more bands than this is active.
const MEDIUM_THRESHOLD: u8 = 7;
/// A part with more active units than this is active.
const LONG_THRESHOLD: u8 = 4;
/// How far ahead one must be to take over, in the newest unit (C1), the newest part (C2) and the whole record (C3).
const C1: f64 = 3.0;
const C2: f64 = 2.0;
const C3: f64 = 0.0;
/// How fast counts fall off in silence.
const IMMEDIATE_RATE: f64 = 0.78;
const MEDIUM_RATE: f64 = 24.0;
const LONG_RATE: f64 = 47.0;
/// Of whatever is likelier silence; above zero, for scores are divided.
const SCORE_MIN: f64 = 1e-10;
/// 15 s.
const FLOOR_WINDOW_UNITS: u16 = 15 * 50;
/// Without a packet for longer, a stream is silent.
const IDLE_AFTER: Duration = Duration::from_millis(40);
/// After a pause like this one begins anew: microphone and room may be others.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// The most sound that a packet holds (RFC 6716 2.1.4).
const PACKET_MAX: Duration = Duration::from_millis(120);
/// How far ahead of time packets that come in bursts are recorded.
const LEAD_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
