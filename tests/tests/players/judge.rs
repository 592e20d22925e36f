//! Whether what was shown and heard is what was sent.
//!
//! Knows pictures by their checksums and sound by its samples. Does not know who decoded them.

use libtest_mimic::Failed;

use crate::codec::Codec;
use crate::decoded::Decoded;
use crate::recording::Recording;

/// At least 98 of 100 pictures came through unchanged and in order, nothing else did, and the sound is there.
pub(crate) fn all_came_through(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let sent: Vec<&String> = recording.decoded.pictures.iter().collect();
    let equal = places(&sent, &decoded.pictures).len();
    let (all, shown) = (sent.len(), decoded.pictures.len());
    ensure(equal * 100 >= all * 98, || {
        format!("{equal} of {all} pictures came through; {shown} were shown")
    })?;
    ensure((shown - equal) * 100 <= all * 2, || {
        format!("{} of {shown} pictures were broken", shown - equal)
    })?;
    sound_came_through(recording, decoded)
}

/// Of the first `sent` pictures at least 99 of 100 came through unchanged and in order, and of what else was shown at most
/// one of 100 was broken. How many came through.
pub(crate) fn first_came_through(
    recording: &Recording,
    decoded: &Decoded,
    sent: usize,
) -> Result<usize, Failed> {
    let all: Vec<&String> = recording.decoded.pictures.iter().collect();
    let places = places(&all, &decoded.pictures);
    let equal = places.iter().filter(|place| **place < sent).count();
    let broken = decoded.pictures.len() - places.len();
    ensure(equal * 100 >= sent * 99 && broken * 100 <= sent, || {
        let last = places.last();
        format!(
            "{equal} of the first {sent} pictures came through, {broken} were broken, the last was {last:?}"
        )
    })?;
    Ok(equal)
}

/// At most 1 % of the sound is missing or too much, and it is the tone. Where decoders agree on each sample, the
/// samples are equal.
pub(crate) fn sound_came_through(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let (sent, heard) = (&recording.decoded.samples, &decoded.samples);
    ensure(sent.len().abs_diff(heard.len()) * 100 <= sent.len(), || {
        format!("{} samples were heard of {}", heard.len(), sent.len())
    })?;
    let [_, audio] = recording.codecs;
    is_the_tone(audio, sent, heard)?;
    if audio.decodes_to_the_same_samples() {
        let equal = sent.iter().zip(heard).filter(|(sent, heard)| sent == heard).count();
        ensure(equal * 100 >= sent.len() * 98, || format!("{equal} of {} samples are equal", sent.len()))?;
    }
    Ok(())
}

/// All pictures came through unchanged and in order but for one gap, which ends at a key frame.
pub(crate) fn one_gap_before_a_key_frame(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let places = unbroken(recording, decoded)?;
    let gaps = gaps(&places);
    ensure(gaps.len() == 1, || format!("{} gaps, which end at {gaps:?}", gaps.len()))?;
    ensure(recording.key_frames.contains(&gaps[0]), || format!("the gap ends at picture {}", gaps[0]))?;
    goes_on_to_the_end(recording, &places)
}

/// The first picture shown is the next key frame after picture `joined_at`, and from there on all came through
/// unchanged. When the viewer joined is known by what another one had decoded, which lags behind what was sent: the key
/// frame after the next one will do.
pub(crate) fn begins_at_a_key_frame(
    recording: &Recording,
    decoded: &Decoded,
    joined_at: usize,
) -> Result<(), Failed> {
    let places = unbroken(recording, decoded)?;
    let first = *places.first().ok_or("nothing was shown")?;
    let key_frames = &recording.key_frames;
    let mut next = key_frames.iter().filter(|place| **place >= joined_at).take(2);
    ensure(next.any(|place| *place == first), || {
        format!(
            "picture {first} was the first shown; key frames are {key_frames:?}, it joined at {joined_at}"
        )
    })?;
    let gaps = gaps(&places);
    ensure(gaps.is_empty(), || format!("{} gaps, which end at {gaps:?}", gaps.len()))?;
    goes_on_to_the_end(recording, &places)
}

/// Where in `sent` the pictures of `shown` stand, as long as they stand in order.
pub(crate) fn places(sent: &[&String], shown: &[String]) -> Vec<usize> {
    let mut from = 0;
    let mut places = Vec::new();
    for picture in shown {
        if let Some(distance) = sent[from..].iter().position(|sent| *sent == picture) {
            places.push(from + distance);
            from += distance + 1;
        }
    }
    places
}

/// An error with this sentence unless `holds`.
pub(crate) fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// The places of all pictures shown; none may be broken.
fn unbroken(recording: &Recording, decoded: &Decoded) -> Result<Vec<usize>, Failed> {
    let sent: Vec<&String> = recording.decoded.pictures.iter().collect();
    let places = places(&sent, &decoded.pictures);
    let (equal, shown) = (places.len(), decoded.pictures.len());
    ensure(equal == shown, || format!("{} of {shown} pictures were broken", shown - equal))?;
    Ok(places)
}

/// The places at which gaps end.
fn gaps(places: &[usize]) -> Vec<usize> {
    places.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|pair| pair[1]).collect()
}

fn goes_on_to_the_end(recording: &Recording, places: &[usize]) -> Result<(), Failed> {
    let sent = recording.decoded.pictures.len();
    ensure(places.last() >= Some(&(sent - 4)), || {
        format!("the last picture shown was {:?} of {sent}", places.last())
    })
}

/// In at least 95 of 100 tenths of a second the first channel is a tone of 440 Hz, as loud as it was sent.
fn is_the_tone(codec: Codec, sent: &[i16], heard: &[i16]) -> Result<(), Failed> {
    let rate = codec.sample_rate();
    let loudness = mean_square(&first_channel(codec, sent));
    ensure(loudness >= AUDIBLE, || format!("what was sent is silence: its mean square is {loudness}"))?;
    let heard = first_channel(codec, heard);
    let tenths = heard.chunks_exact(usize::try_from(rate / 10)?);
    let all = tenths.len();
    let clear = tenths.filter(|tenth| is_tone(tenth, f64::from(rate), loudness)).count();
    ensure(all > 0 && clear * 100 >= all * 95, || {
        format!("the tone is in {clear} of {all} tenths of a second")
    })
}

/// Goertzel's algorithm: the power at one frequency, against all power.
fn is_tone(samples: &[f64], rate: f64, loudness: f64) -> bool {
    let factor = 2.0 * (std::f64::consts::TAU * TONE_HZ / rate).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + factor * last - before, last);
    }
    let count = count(samples);
    let tone = 2.0 * (last * last + before * before - factor * last * before) / (count * count);
    let all = mean_square(samples);
    all >= 0.5 * loudness && tone >= 0.9 * all
}

fn first_channel(codec: Codec, samples: &[i16]) -> Vec<f64> {
    samples.iter().step_by(usize::from(codec.channels())).map(|sample| f64::from(*sample)).collect()
}

fn mean_square(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum::<f64>() / count(samples)
}

fn count(samples: &[f64]) -> f64 {
    samples.iter().map(|_| 1.0).sum()
}

/// As the senders make it.
const TONE_HZ: f64 = 440.0;
/// About a thirtieth of the full scale.
const AUDIBLE: f64 = 1e6;
