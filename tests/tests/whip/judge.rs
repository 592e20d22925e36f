//! Whether publishers and players saw what they must.
//!
//! Knows what `seen` tells. Does not know how it came about.

use libtest_mimic::{Failed, Trial};

use crate::seen::{Pages, Peer, Peers, Seen};

/// Everybody got in and out by the right status codes, and saw moving pictures soon.
pub(crate) fn judge(seen: &Seen) -> Result<(), Failed> {
    pages(&seen.pages)?;
    let simulcast = &seen.simulcast;
    ensure(simulcast.frames >= PICTURES_MIN && !simulcast.answered, || format!("{simulcast:?}"))?;
    peers(&seen.peers)
}

/// One page published, another one played it.
pub(crate) fn pages(pages: &Pages) -> Result<(), Failed> {
    ensure(pages.nothing.starts_with("409: "), || format!("nothing published: {:?}", pages.nothing))?;
    for told in [&pages.published, &pages.played] {
        ensure(told.status == 201 && told.trickled == 204, || format!("{told:?}"))?;
    }
    let first_ms = pages.played.first_picture_ms.unwrap_or(f64::INFINITY);
    ensure(first_ms < FIRST_PICTURE_MS_MAX, || format!("a page's first picture after {first_ms:.0} ms"))?;
    ensure(pages.restarted.status == 200 && pages.restarted.is_new, || format!("{:?}", pages.restarted))?;
    ensure(pages.ended == [200, 200], || format!("ended: {:?}", pages.ended))?;
    ensure(pages.moves && pages.frames >= PICTURES_MIN, || format!("{} frames", pages.frames))?;
    let apart = (pages.hue - HUE).rem_euclid(360.0);
    ensure(apart.min(360.0 - apart) <= HUE_TOLERANCE, || format!("hue {:.0}", pages.hue))
}

/// GStreamer published and played, and a visitor saw it.
fn peers(peers: &Peers) -> Result<(), Failed> {
    ensure(peers.names.len() == 2 && peers.names.iter().any(|name| name.starts_with("Publisher ")), || {
        format!("tiles: {:?}", peers.names)
    })?;
    for peer in [&peers.published, &peers.played, &peers.newest] {
        let statuses =
            ["post", "patch", "delete", "delete_again"].map(|name| peer.statuses.get(name).copied());
        ensure(statuses == [201, 204, 200, 404].map(Some), || format!("{:?}", peer.statuses))?;
        for kind in ["audio", "video"] {
            ensure(of(&peer.packets, kind) > 0, || format!("no packets of {kind}: {peer:?}"))?;
        }
    }
    plays(&peers.played)?;
    plays(&peers.newest)?;
    ensure(peers.killed_gone_ms < KILLED_GONE_MS_MAX, || {
        format!("one that was killed is there after {:.0} ms", peers.killed_gone_ms)
    })?;
    ensure(peers.complaints.is_empty(), || format!("the browser complained: {:?}", peers.complaints))
}

/// GStreamer decoded sound, and pictures that move.
fn plays(peer: &Peer) -> Result<(), Failed> {
    let (video, audio) = (of(&peer.decoded, "video"), of(&peer.decoded, "audio"));
    ensure(video >= u64::from(PICTURES_MIN) && audio >= SOUNDS_MIN, || {
        format!("decoded {:?}", peer.decoded)
    })?;
    // The pattern moves with each picture; a browser may repeat one.
    ensure(peer.pictures * 2 > video, || format!("{} of {video} pictures differ", peer.pictures))?;
    let first_s = peer.first_picture_s.unwrap_or(f64::INFINITY);
    ensure(first_s * 1_000.0 < FIRST_PICTURE_MS_MAX, || format!("first picture after {first_s:.3} s"))
}

fn of(counts: &std::collections::BTreeMap<String, u64>, kind: &str) -> u64 {
    counts.get(kind).copied().unwrap_or_default()
}

/// What to print of a run.
pub(crate) fn row(seen: &Seen) -> String {
    let (pages, peers) = (&seen.pages, &seen.peers);
    format!(
        "{}: first picture after {:.0} ms in a page, {:.0} and {:.0} ms in GStreamer; a publisher that was killed is gone \
         after {:.1} s",
        seen.version,
        pages.played.first_picture_ms.unwrap_or_default(),
        peers.played.first_picture_s.unwrap_or_default() * 1_000.0,
        peers.newest.first_picture_s.unwrap_or_default() * 1_000.0,
        peers.killed_gone_ms / 1_000.0,
    )
}

/// The judge itself: it accepts what is right and refuses each thing that is wrong.
pub(crate) fn planted_faults() -> Vec<Trial> {
    vec![Trial::test("judge_refuses_each_planted_fault", planted)]
}

/// What is wrong, and how to make it so.
type Fault = (&'static str, fn(&mut Seen));

fn planted() -> Result<(), Failed> {
    let good: Seen = serde_json::from_str(GOOD)?;
    judge(&good)?;
    let faults: [Fault; 16] = [
        ("an empty room was played", |seen| seen.pages.nothing = "201".to_owned()),
        ("a page did not get in", |seen| seen.pages.published.status = 400),
        ("candidates were refused", |seen| seen.pages.played.trickled = 428),
        ("the first picture came late", |seen| seen.pages.played.first_picture_ms = Some(9_000.0)),
        ("no picture came", |seen| seen.pages.played.first_picture_ms = None),
        ("ICE was not restarted", |seen| seen.pages.restarted.is_new = false),
        ("a session was not ended", |seen| seen.pages.ended = vec![200, 404]),
        ("the picture stands still", |seen| seen.pages.moves = false),
        ("another picture", |seen| seen.pages.hue = 20.0),
        ("simulcast was accepted", |seen| seen.simulcast.answered = true),
        ("simulcast was not seen", |seen| seen.simulcast.frames = 1),
        ("no tile of the publisher", |seen| seen.peers.names = vec!["You, echoed".to_owned(); 2]),
        ("GStreamer's session is there still", |seen| {
            seen.peers.published.statuses.insert("delete_again".to_owned(), 200);
        }),
        ("GStreamer decoded nothing", |seen| seen.peers.newest.decoded.clear()),
        ("GStreamer saw one picture all the time", |seen| seen.peers.played.pictures = 1),
        ("who was killed stayed", |seen| seen.peers.killed_gone_ms = 90_000.0),
    ];
    for (fault, plant) in faults {
        let mut seen = good.clone();
        plant(&mut seen);
        ensure(judge(&seen).is_err(), || format!("accepted: {fault}"))?;
    }
    Ok(())
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// A sixth of a second on an idle machine. Without a key frame that is asked for it would be the next one of the sender's own
/// accord: minutes.
const FIRST_PICTURE_MS_MAX: f64 = 8_000.0;
/// Two seconds.
const PICTURES_MIN: u32 = 60;
/// Packets of 20 ms.
const SOUNDS_MIN: u64 = 80;
const HUE: f64 = 200.0;
const HUE_TOLERANCE: f64 = 20.0;
/// Consent lasts 15 s, and 10 s more are for an ICE restart.
const KILLED_GONE_MS_MAX: f64 = 40_000.0;

const GOOD: &str = r#"{
    "version": "Chrome/1",
    "pages": {
        "nothing": "409: nothing", "published": {"status": 201, "trickled": 204},
        "played": {"status": 201, "trickled": 204, "firstPictureMs": 152.0},
        "restarted": {"status": 200, "isNew": true}, "ended": [200, 200], "moves": true, "hue": 194.7, "frames": 127
    },
    "simulcast": {"frames": 70, "answered": false},
    "peers": {
        "names": ["You, echoed", "Publisher 1"], "killedGoneMs": 25000.0, "complaints": [],
        "published": {"statuses": {"post": 201, "patch": 204, "delete": 200, "delete_again": 404},
            "packets": {"audio": 421, "video": 253}, "decoded": {}, "pictures": 0},
        "played": {"statuses": {"post": 201, "patch": 204, "delete": 200, "delete_again": 404},
            "packets": {"audio": 151, "video": 196}, "decoded": {"audio": 151, "video": 60}, "pictures": 60,
            "first_picture_s": 0.3},
        "newest": {"statuses": {"post": 201, "patch": 204, "delete": 200, "delete_again": 404},
            "packets": {"audio": 151, "video": 196}, "decoded": {"audio": 151, "video": 60}, "pictures": 60,
            "first_picture_s": 0.3}
    }
}"#;
