//! Whether a peer connected, sent, received and closed.
//!
//! Knows reports and the worker's lines. Does not know how they came about.

use libtest_mimic::{Failed, Trial};

use crate::peer::{Ended, Peer, Report, Role};

/// Both transports shook hands in the role they were to have and were closed by the peer, and both media came back.
pub(crate) fn judge(peer: Peer, role: Role, report: &Report, handshakes: &[String]) -> Result<(), Failed> {
    for (kind, least) in [("audio", SOUNDS_MIN), ("video", PICTURES_MIN)] {
        for (what, counts) in
            [("sent", &report.sent), ("received", &report.received), ("decoded", &report.decoded)]
        {
            let count = counts.get(kind).copied().unwrap_or_default();
            ensure(count >= least, || format!("{count} of {kind} {what}, fewer than {least}"))?;
        }
    }
    let directions: Vec<&str> = report.transports.iter().map(|ended| ended.direction.as_str()).collect();
    ensure(directions == ["send", "recv"], || format!("transports: {directions:?}"))?;
    for ended in &report.transports {
        let direction = &ended.direction;
        let wanted = peer.role(role, direction);
        ensure(ended.role == wanted, || format!("{direction}: {:?}, wanted {wanted:?}", ended.role))?;
        ensure(is_closed(peer, ended), || format!("{direction}: not closed, {ended:?}"))?;
        if peer == Peer::Webrtcbin {
            let certificate = ended.certificate.as_deref().unwrap_or("none");
            ensure(certificate.starts_with("RSA "), || format!("its certificate is {certificate}"))?;
        }
    }
    let succeeded = handshakes.iter().filter(|line| line.starts_with("transport ")).count();
    ensure(succeeded == 2 && handshakes.len() == 2, || format!("the worker's handshakes: {handshakes:?}"))
}

/// The worker's word. DTLS turns so by the peer's close_notify (RFC 5246 7.2.1), of which webrtcbin sends none: it goes
/// silent, and after its time the worker takes it for gone.
fn is_closed(peer: Peer, ended: &Ended) -> bool {
    let vanished = peer == Peer::Webrtcbin && ended.ice_state.as_deref() == Some("Disconnected");
    ended.state == "Closed" || (ended.state == "Connected" && vanished)
}

/// A row of a table: peer, its role, what the worker says of each handshake, what the peer says, packets of
/// audio and video sent and received.
pub(crate) fn row(peer: Peer, role: Role, report: &Report, handshakes: &[String]) -> String {
    let told = report.transports.iter().map(|ended| ended.suite.as_ref().or(ended.certificate.as_ref()));
    let told: Vec<&str> = told.map(|told| told.map_or("", String::as_str)).collect();
    format!(
        "| {} | {role:?} | {} | {} | sent {:?} | received {:?} | decoded {:?} |",
        peer.name(),
        handshakes.join("; "),
        told.join("; "),
        report.sent,
        report.received,
        report.decoded
    )
}

/// The judge itself: it accepts what is right and refuses each thing that is wrong.
pub(crate) fn planted_faults() -> Vec<Trial> {
    vec![Trial::test("judge_refuses_each_planted_fault", planted)]
}

/// What is wrong, and how to make it so.
type Fault = (&'static str, fn(&mut Report));

fn planted() -> Result<(), Failed> {
    let good: Report = serde_json::from_str(GOOD)?;
    let lines = ["transport 1: Dtls12, X, Y".to_owned(), "transport 2: Dtls12, X, Y".to_owned()];
    judge(Peer::Webrtcbin, Role::Server, &good, &lines)?;
    let mut silent = good.clone();
    for ended in &mut silent.transports {
        (ended.state, ended.ice_state) = ("Connected".to_owned(), Some("Disconnected".to_owned()));
    }
    judge(Peer::Webrtcbin, Role::Server, &silent, &lines)?;
    ensure(judge(Peer::Aiortc, Role::Server, &silent, &lines).is_err(), || {
        "accepted: one who can say goodbye and did not".to_owned()
    })?;
    let faults: [Fault; 6] = [
        ("no video came back", |report| report.received.retain(|kind, _| kind != "video")),
        ("no audio was sent", |report| report.sent.retain(|kind, _| kind != "audio")),
        ("nothing could be decoded", |report| report.decoded.clear()),
        ("a transport is missing", |report| report.transports.truncate(1)),
        ("nobody said goodbye", |report| report.transports[1].state = "Connected".to_owned()),
        ("an ECDSA certificate", |report| report.transports[0].certificate = Some("EC 256".to_owned())),
    ];
    for (fault, plant) in faults {
        let mut report = good.clone();
        plant(&mut report);
        let verdict = judge(Peer::Webrtcbin, Role::Server, &report, &lines);
        ensure(verdict.is_err(), || format!("accepted: {fault}"))?;
    }
    ensure(judge(Peer::Webrtcbin, Role::Client, &good, &lines).is_err(), || {
        "accepted: the wrong role".to_owned()
    })?;
    ensure(judge(Peer::Webrtcbin, Role::Server, &good, &lines[..1]).is_err(), || {
        "accepted: one handshake".to_owned()
    })
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// Two seconds.
const PICTURES_MIN: u64 = 60;
/// Packets of 20 ms.
const SOUNDS_MIN: u64 = 80;

const GOOD: &str = r#"{
    "sent": {"audio": 100, "video": 100}, "received": {"audio": 90, "video": 90},
    "decoded": {"audio": 90, "video": 80},
    "transports": [
        {"direction": "send", "role": "server", "state": "Closed", "certificate": "RSA 2048"},
        {"direction": "recv", "role": "server", "state": "Closed", "certificate": "RSA 2048"}
    ]
}"#;
