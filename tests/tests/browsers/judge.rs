//! Whether what a browser counted is enough.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::case::{Case, Counted, median};

/// The picture and the sound came back, by the way that was asked for.
pub(crate) fn all(case: &Case, counted: &Counted) -> Result<(), Failed> {
    let Counted { frames_encoded, frames_decoded, freeze_count, .. } = counted;
    ensure(*frames_encoded >= case.frames, || format!("only {frames_encoded} frames were encoded"))?;
    ensure(frames_decoded * 100 >= frames_encoded * 95, || {
        format!("{frames_decoded} of {frames_encoded} frames of the echo were decoded: fewer than 95 %")
    })?;
    let wanted = format!("video/{}", case.video);
    ensure(counted.video_codec.as_deref() == Some(wanted.as_str()), || {
        format!("{wanted} was to be sent, it was {:?}", counted.video_codec)
    })?;
    let lossy = case.loss_permille.is_some_and(|loss| loss > 0);
    // A repair takes a round trip, which may be seen.
    let is_steady = case.is_steady && !lossy;
    ensure(!is_steady || *freeze_count == 0, || format!("the echo froze {freeze_count} times"))?;
    let Counted { sent_energy, heard_energy, sent_nacks, received_nacks, .. } = counted;
    ensure(*sent_energy > 0.0 && heard_energy * 2.0 >= *sent_energy, || {
        format!("sound with an energy of {sent_energy} was sent, {heard_energy} was heard: less than half")
    })?;
    ensure(!lossy || (*sent_nacks > 0 && *received_nacks > 0), || {
        format!(
            "the browser sent {sent_nacks} NACKs and was sent {received_nacks}: nobody misses what was lost"
        )
    })?;
    way(case, counted)?;
    let restarts = if case.restart_ice { 2 } else { 0 };
    ensure(counted.ice_restarts == restarts, || format!("{} ICE restarts were done", counted.ice_restarts))?;
    first_picture(case, counted)
}

/// Nothing but the protocol that was asked for was offered, tried or used.
fn way(case: &Case, counted: &Counted) -> Result<(), Failed> {
    let (wanted, by_the_worker) = if case.force_tcp { ("tcp", "Tcp") } else { ("udp", "Udp") };
    for transport in &counted.transports {
        ensure(transport.tells_its_suites(), || format!("nobody tells how it is sealed: {transport}"))?;
        let selected = transport.selected_by_the_worker();
        ensure(selected == Some(by_the_worker), || {
            format!("the worker sends by {selected:?}, it should be {by_the_worker}")
        })?;
        let tried = &transport.protocols;
        ensure(tried.iter().any(|protocol| protocol == wanted), || {
            format!("the browser sent by {tried:?}, {wanted} should be there")
        })?;
        ensure(!case.force_tcp || tried.iter().all(|protocol| protocol == wanted), || {
            format!("the browser sent by {tried:?}, nothing but {wanted} should be there")
        })?;
    }
    let offered: Vec<&str> = counted.candidates.iter().map(|candidate| candidate.protocol.as_str()).collect();
    ensure(!case.force_tcp || offered.iter().all(|protocol| *protocol == "tcp"), || {
        format!("candidates of {offered:?} were offered, only tcp was asked for")
    })
}

fn first_picture(case: &Case, counted: &Counted) -> Result<(), Failed> {
    if case.resumes == 0 {
        return Ok(());
    }
    let Counted { resumed_ms, loopback_ms, .. } = counted;
    let wanted = case.resumes as usize;
    ensure(resumed_ms.len() == wanted, || format!("{} consumers were resumed", resumed_ms.len()))?;
    let resumed = median(resumed_ms).ok_or("no consumer was resumed")?;
    let loopback = median(loopback_ms).ok_or("there is nothing to compare with")?;
    // A browser that is slow by itself is on a busy machine.
    let most = FIRST_PICTURE_MS_MAX.max(loopback * LOOPBACKS_MAX);
    ensure(resumed <= most, || {
        format!(
            "the first picture after resuming takes {resumed:.0} ms (median), more than {most:.0}; without a \
             worker it takes {loopback:.0}"
        )
    })
}

/// An error with this sentence unless `holds`.
pub(crate) fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// Planted: what a page could count of a worker that is broken in one way each.
pub(crate) fn faults_are_noticed() -> Result<(), Failed> {
    let case = Case { frames: 100, resumes: 3, is_steady: true, ..Case::new("VP8") };
    judged(&case, "/version", json!("1"))?;
    judged(&case, "/resumedMs", json!([60, 300, 900]))?;
    // Without a worker it is slow too: the machine is busy.
    judged(&case, "/loopbackMs", json!([900, 900, 900]))?;
    let faults = [
        ("/framesEncoded", json!(99)),
        ("/framesDecoded", json!(94)),
        ("/freezeCount", json!(1)),
        ("/heardEnergy", json!(0.4)),
        ("/sentEnergy", json!(0.0)),
        ("/videoCodec", json!("video/VP9")),
        ("/videoCodec", json!(null)),
        ("/resumedMs", json!([10, 301, 302])),
        ("/resumedMs", json!([10, 20])),
        ("/loopbackMs", json!([])),
        ("/iceRestarts", json!(1)),
        ("/transports/0/srtpCipher", json!(null)),
        ("/transports/1/dtlsCipher", json!(null)),
        ("/transports/1/protocols", json!(["tcp"])),
        ("/transports/1/worker/webrtc/ice_selected_tuple/protocol", json!("Tcp")),
    ];
    for (place, value) in faults {
        ensure(judged(&case, place, value.clone()).is_err(), || format!("{place}: {value} is not noticed"))?;
    }
    let lossy = Case { loss_permille: Some(30), ..case };
    let deaf = judged(&lossy, "/receivedNacks", json!(1));
    ensure(deaf.is_err(), || "that the browser asks for nothing again is not noticed".to_owned())?;
    let by_udp = judged(&Case { force_tcp: true, ..case }, "/version", json!("1"));
    ensure(by_udp.is_err(), || "that UDP was used is not noticed".to_owned())
}

/// Of a good visit with one thing changed.
fn judged(case: &Case, place: &str, value: Value) -> Result<(), Failed> {
    let transport = json!({
        "tlsVersion": "FEFC", "dtlsCipher": "TLS_AES_128_GCM_SHA256", "srtpCipher": "SRTP_AEAD_AES_128_GCM",
        "protocols": ["udp"], "worker": { "webrtc": { "ice_selected_tuple": { "protocol": "Udp" } } },
    });
    let mut counted = json!({
        "version": "1", "framesEncoded": 100, "framesDecoded": 95, "freezeCount": 0, "sentEnergy": 1.0,
        "heardEnergy": 0.5, "sentNacks": 0, "receivedNacks": 0, "videoCodec": "video/VP8", "firstPictureMs": 40.0,
        "resumedMs": [50, 60, 1000], "loopbackMs": [30, 40, 50], "iceRestarts": 0,
        "candidates": [{ "protocol": "udp" }], "transports": [transport, transport],
    });
    *counted.pointer_mut(place).ok_or("no such place")? = value;
    all(case, &serde_json::from_value(counted)?)
}

const FIRST_PICTURE_MS_MAX: f64 = 300.0;
/// A worker doubles the way there and back.
const LOOPBACKS_MAX: f64 = 3.0;
