//! Planted faults: the judge refuses what was lost or altered, each by itself.

use std::path::PathBuf;

use libtest_mimic::Failed;

use crate::codec::Codec;
use crate::decoded::Decoded;
use crate::judge::{all_came_through, begins_at_a_key_frame, ensure, one_gap_before_a_key_frame};
use crate::recording::Recording;

/// Its name, and what it does to what was sent.
type Fault = (&'static str, fn(&mut Decoded));

/// 100 pictures with a key frame at every tenth, and two seconds of the tone in PCMU's rate.
fn made_up() -> Recording {
    let decoded = Decoded {
        pictures: (0..100).map(|number| format!("picture {number}")).collect(),
        samples: tone(440.0, 4_096.0),
    };
    Recording {
        codecs: [Codec::Vp8, Codec::Pcmu],
        file: PathBuf::new(),
        decoded,
        key_frames: (0..100).step_by(10).collect(),
        gstreamer_packets: [0, 0],
    }
}

/// What differs from the recording by more than the judge forgives.
pub(crate) async fn faults_are_noticed() -> Result<(), Failed> {
    let recording = made_up();
    all_came_through(&recording, &recording.decoded)?;
    let faults: [Fault; 9] = [
        ("three pictures lost", |shown| drop(shown.pictures.drain(40..43))),
        ("three pictures altered", |shown| shown.pictures[40..43].fill("other".to_owned())),
        ("three pictures twice", |shown| shown.pictures.extend_from_within(97..)),
        ("two pictures in the wrong order, often", |shown| shown.pictures.reverse()),
        ("sound lost", |heard| heard.samples.truncate(15_000)),
        ("too much sound", |heard| heard.samples.extend_from_within(..1_000)),
        ("silence", |heard| heard.samples.fill(0)),
        ("another tone", |heard| heard.samples = tone(450.0, 4_096.0)),
        ("other samples of the same tone", |heard| heard.samples = tone(440.0, 4_000.0)),
    ];
    for (name, plant) in faults {
        let mut decoded = recording.decoded.clone();
        plant(&mut decoded);
        ensure(all_came_through(&recording, &decoded).is_err(), || format!("not noticed: {name}"))?;
    }
    Ok(())
}

/// Pauses and late viewers: which gaps are right.
pub(crate) async fn wrong_gaps_are_noticed() -> Result<(), Failed> {
    let recording = made_up();
    let without = |gap: std::ops::Range<usize>| {
        let mut decoded = recording.decoded.clone();
        decoded.pictures.drain(gap);
        decoded
    };
    one_gap_before_a_key_frame(&recording, &without(33..50))?;
    for wrong in [33..51, 0..0, 90..100] {
        let judged = one_gap_before_a_key_frame(&recording, &without(wrong.clone()));
        ensure(judged.is_err(), || format!("a gap of {wrong:?} passed"))?;
    }
    begins_at_a_key_frame(&recording, &without(0..20), 15)?;
    for (wrong, joined_at) in [(0..21, 15), (0..10, 15), (0..60, 15), (0..0, 15)] {
        let judged = begins_at_a_key_frame(&recording, &without(wrong.clone()), joined_at);
        ensure(judged.is_err(), || format!("one who joined at {joined_at} and misses {wrong:?} passed"))?;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the amplitude is below that of 16 bits")]
fn tone(hertz: f64, amplitude: f64) -> Vec<i16> {
    let sample = |at: i32| {
        let angle = std::f64::consts::TAU * hertz * f64::from(at) / 8_000.0;
        (angle.sin() * amplitude) as i16
    };
    (0..16_000).map(sample).collect()
}
