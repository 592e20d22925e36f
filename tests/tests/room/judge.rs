//! Whether the visitors saw what they must.
//!
//! Knows what `browser` tells. Does not know how it came about.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};

use crate::browser::{Met, Seen};

/// Each saw and heard the other, nothing was ugly, and after each mishap it went on soon.
pub(crate) fn judge(seen: &Seen) -> Result<(), Failed> {
    ensure(!seen.proposed_name.is_empty(), || "no name for a new room".to_owned())?;
    ensure(seen.title == ROOM && seen.injected == 0, || {
        format!("the room is called {:?}, {} elements", seen.title, seen.injected)
    })?;
    of_pictures(seen)?;
    ensure(seen.heard.len() == 2 && seen.heard.iter().all(|level| *level > LOUDNESS_MIN), || {
        format!("heard: {:?}", seen.heard)
    })?;
    of_numbers(seen)?;
    let death = &seen.death;
    // As the Rust host puts it, and as Node does.
    ensure(death.told.contains("signal 9") || death.told.contains("SIGKILL"), || {
        format!("told: {:?}", death.told)
    })?;
    ensure(death.pid != death.pid_after && death.pid_after > 0, || format!("{death:?}"))?;
    ensure(death.moving_again_ms < MOVING_AGAIN_MS_MAX, || {
        format!("pictures moved again after {:.0} ms", death.moving_again_ms)
    })?;
    ensure(!seen.lost.is_empty() && seen.reconnected_ms < RECONNECTED_MS_MAX, || {
        format!("{:?}; back after {:.0} ms", seen.lost, seen.reconnected_ms)
    })?;
    ensure(!seen.silent.is_empty(), || "a silent server was not noticed".to_owned())?;
    ensure(seen.overflow <= 0, || format!("{} pixels wider than a phone", seen.overflow))?;
    let without = &seen.without_devices;
    ensure(without.no_device.contains("test pattern"), || format!("{without:?}"))?;
    ensure(without.insecure.contains("https://") && without.choices == 1, || format!("{without:?}"))?;
    ensure(seen.refused.contains("test pattern"), || format!("refused: {:?}", seen.refused))?;
    let complaints = [&seen.complaints[..], &without.complaints].concat();
    ensure(complaints.is_empty(), || format!("the browser complained: {complaints:?}"))
}

/// What Ann sees of Ben has the colour that Ben sends, and Ben sees of Ann what she sees herself.
fn of_pictures(seen: &Seen) -> Result<(), Failed> {
    are_alike(&seen.hues, &[("patternOfBen", "benSeenByAnn"), ("annSeenByAnn", "annSeenByBen")])
}

/// What was received has the colour of what was sent.
fn are_alike(hues: &BTreeMap<String, f64>, pairs: &[(&str, &str)]) -> Result<(), Failed> {
    for (sent, received) in pairs {
        let hue = |name: &str| hues.get(name).copied().ok_or_else(|| format!("no {name}"));
        let apart = (hue(sent)? - hue(received)?).rem_euclid(360.0);
        let apart = apart.min(360.0 - apart);
        ensure(apart <= HUE_TOLERANCE, || format!("{sent} and {received}: {hues:?}"))?;
    }
    Ok(())
}

/// Fay and Cho saw themselves and each other move, heard each other, and had nothing to complain of.
pub(crate) fn judge_meeting(met: &Met) -> Result<(), Failed> {
    for name in ["fay", "cho"] {
        let read = |of: &BTreeMap<String, f64>| of.get(name).copied().unwrap_or_default();
        let moving = met.moving.get(name).copied().unwrap_or_default();
        ensure(moving == 2, || format!("{name} saw {moving} pictures move"))?;
        let (energy, level) = (read(&met.energy), read(&met.levels));
        ensure(energy >= ENERGY_MIN, || format!("{name} heard an energy of {energy}"))?;
        ensure(level > LOUDNESS_MIN, || format!("the meter of {name} showed {level}"))?;
    }
    are_alike(&met.hues, &[("patternOfCho", "choSeenByFay"), ("patternOfFay", "faySeenByCho")])?;
    let of_fay = met.rows.iter().flatten().filter(|row| row.first().is_some_and(|name| name != "audio"));
    for row in of_fay {
        // Name, size, pictures and rate; loss and round trip are told later.
        let told = row.len() == COLUMNS && row.iter().take(4).all(|cell| cell != "–");
        ensure(told, || format!("Fay's row: {row:?}"))?;
    }
    ensure(!met.rows.is_empty(), || "no rows".to_owned())?;
    ensure(met.told_on_loopback.contains("For Firefox"), || {
        format!("on loopback: {:?}", met.told_on_loopback)
    })?;
    ensure(met.complaints.is_empty(), || format!("the browsers complained: {:?}", met.complaints))
}

/// Streams and worker have figures where people look for them.
fn of_numbers(seen: &Seen) -> Result<(), Failed> {
    let titles: Vec<Vec<&str>> = seen
        .rows
        .iter()
        .map(|tile| tile.iter().filter_map(|row| row.first()).map(String::as_str).collect())
        .collect();
    ensure(titles == [["sent", "echo"], ["video", "audio"]], || format!("rows: {titles:?}"))?;
    let own = seen.rows.first().into_iter().flatten();
    for row in own {
        ensure(row.len() == COLUMNS && row.iter().all(|cell| cell != "–"), || format!("own row: {row:?}"))?;
    }
    ensure(seen.figures.len() == CHARTS, || format!("charts: {:?}", seen.figures))?;
    for figure in &seen.figures {
        let shown = !figure.value.contains('–') && figure.points > 0;
        ensure(shown, || format!("{}: {} of {} points", figure.title, figure.value, figure.points))?;
    }
    Ok(())
}

/// The judge itself: it accepts what is right and refuses each thing that is wrong.
pub(crate) fn planted_faults() -> Vec<Trial> {
    vec![
        Trial::test("judge_refuses_each_planted_fault", planted),
        Trial::test("judge_of_meetings_refuses_each_planted_fault", planted_in_meeting),
    ]
}

/// What is wrong, and how to make it so.
type Fault<T> = (&'static str, fn(&mut T));

fn planted() -> Result<(), Failed> {
    let good: Seen = serde_json::from_str(GOOD)?;
    judge(&good)?;
    let faults: [Fault<Seen>; 12] = [
        ("the name became an element", |seen| seen.injected = 1),
        ("the name was cut", |seen| seen.title.truncate(3)),
        ("Ann sees somebody else", |seen| _ = seen.hues.insert("benSeenByAnn".to_owned(), 200.0)),
        ("Ben sees nobody", |seen| _ = seen.hues.remove("annSeenByBen")),
        ("Ben hears nothing", |seen| seen.heard[1] = 0.0),
        ("no round trip", |seen| "–".clone_into(&mut seen.rows[0][1][5])),
        ("a chart is empty", |seen| seen.figures[0].points = 0),
        ("the same worker", |seen| seen.death.pid_after = seen.death.pid),
        ("six seconds without pictures", |seen| seen.death.moving_again_ms = 6_000.0),
        ("a page wider than the phone", |seen| seen.overflow = 8),
        ("a button for a camera that may not be asked for", |seen| seen.without_devices.choices = 2),
        ("an error in a script", |seen| seen.complaints.push("uncaught".to_owned())),
    ];
    for (fault, plant) in faults {
        let mut seen = good.clone();
        plant(&mut seen);
        ensure(judge(&seen).is_err(), || format!("accepted: {fault}"))?;
    }
    Ok(())
}

fn planted_in_meeting() -> Result<(), Failed> {
    let good: Met = serde_json::from_str(GOOD_MEETING)?;
    judge_meeting(&good)?;
    let faults: [Fault<Met>; 9] = [
        ("Fay sees one picture move", |met| _ = met.moving.insert("fay".to_owned(), 1)),
        ("Cho says nothing of pictures", |met| _ = met.moving.remove("cho")),
        ("Fay hears nothing", |met| _ = met.energy.insert("fay".to_owned(), 0.0)),
        ("Cho's meter stands still", |met| _ = met.levels.insert("cho".to_owned(), 0.0)),
        ("Fay sees somebody else", |met| _ = met.hues.insert("choSeenByFay".to_owned(), 200.0)),
        ("Cho sees no pattern", |met| _ = met.hues.remove("faySeenByCho")),
        ("Fay is not told why nothing comes", |met| met.told_on_loopback.truncate(20)),
        ("no rate", |met| "–".clone_into(&mut met.rows[0][1][3])),
        ("an error in a script", |met| met.complaints.push("uncaught".to_owned())),
    ];
    for (fault, plant) in faults {
        let mut met = good.clone();
        plant(&mut met);
        ensure(judge_meeting(&met).is_err(), || format!("accepted: {fault}"))?;
    }
    Ok(())
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// Of `tests/browsers/room/run.js`.
const ROOM: &str = "Küche <b>1/2</b> & 50%";
/// Colours are coded coarsely; patterns are 15 degrees apart.
const HUE_TOLERANCE: f64 = 12.0;
const LOUDNESS_MIN: f64 = 0.02;
/// Half a second of a test pattern's beeps, and of anything louder.
const ENERGY_MIN: f64 = 0.001;
/// What the page promises its visitors.
const MOVING_AGAIN_MS_MAX: f64 = 5_000.0;
/// Pauses between attempts are part of it.
const RECONNECTED_MS_MAX: f64 = 10_000.0;
const COLUMNS: usize = 6;
const CHARTS: usize = 6;

const GOOD: &str = r#"{
    "version": "Chrome/1", "proposedName": "calm-brook-10", "title": "Küche <b>1/2</b> & 50%", "injected": 0,
    "hues": { "patternOfBen": 0, "benSeenByAnn": 355, "annSeenByAnn": 119, "annSeenByBen": 120 },
    "heard": [0.3, 0.2],
    "rows": [
        [["sent", "960×540", "30", "790 kb/s", "0.0 %", "56 ms"], ["echo", "960×540", "29", "817 kb/s", "0.0 %", "93 ms"]],
        [["video", "640×360", "19", "–", "–", "9.0 ms"], ["audio", "–", "–", "15 kb/s", "0.0 %", "93 ms"]]
    ],
    "figures": [
        { "title": "CPU", "value": "1.0 %", "points": 3 }, { "title": "Resident", "value": "1.0 MB", "points": 3 },
        { "title": "Packets", "value": "1.0 MB", "points": 3 }, { "title": "Rate", "value": "10 in 20 out", "points": 3 },
        { "title": "GSO", "value": "1.8 a call", "points": 3 }, { "title": "Delay", "value": "0.5 ms", "points": 3 }
    ],
    "death": { "told": "the worker was ended by signal 9", "movingAgainMs": 1800, "pid": 7, "pidAfter": 8 },
    "overflow": 0, "lost": "The server cannot be reached.", "reconnectedMs": 1500, "silent": "Nothing was heard.", "complaints": [],
    "refused": "Not allowed. A test pattern is sent.", "withoutDevices": {
        "noDevice": "No camera. A test pattern is sent.", "insecure": "Only https://", "choices": 1, "complaints": []
    }
}"#;

const GOOD_MEETING: &str = r#"{
    "versions": ["Firefox/1", "Chrome/1"], "moving": { "fay": 2, "cho": 2 },
    "hues": { "patternOfCho": 0, "choSeenByFay": 355, "patternOfFay": 119, "faySeenByCho": 120 },
    "energy": { "fay": 0.002, "cho": 0.1 }, "levels": { "fay": 0.1, "cho": 0.2 },
    "rows": [
        [["sent", "640×480", "30", "790 kb/s", "0.0 %", "56 ms"], ["echo", "640×480", "29", "817 kb/s", "–", "–"]],
        [["video", "640×360", "19", "200 kb/s", "0.0 %", "–"], ["audio", "–", "–", "15 kb/s", "0.0 %", "–"]]
    ],
    "toldOnLoopback": "Firefox sends no media to 127.0.0.1. For Firefox, start it otherwise.", "complaints": []
}"#;
