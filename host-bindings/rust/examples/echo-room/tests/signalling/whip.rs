//! WHIP and WHEP: every status code, and every way that a session ends without media.

use std::time::Duration;

use echo_room::Limits;
use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::house::House;
use crate::http::{Answer, Request};
use crate::visitor::{Visitor, text};
use crate::{ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_publisher_is_a_visitor_until_it_ends_its_session", life_of_a_publisher),
        trial("candidates_are_taken_and_ice_is_restarted_by_patch", patches),
        trial("what_is_no_offer_is_refused_by_its_own_status", bad_requests),
        trial("browsers_are_told_what_they_may_ask", cross_origin),
        trial("a_player_is_answered_by_its_own_numbers", players),
        trial("a_player_gets_the_newest_or_whom_it_names", which_is_played),
        trial("a_room_with_nothing_to_play_is_a_conflict", nothing_to_play),
        trial("a_player_ends_with_what_it_plays", end_of_what_is_played),
        trial("whoever_never_connects_is_let_go", never_connected),
        trial("there_are_only_so_many_sessions_visitors_and_rooms", too_many),
        trial("sessions_end_with_their_worker", death_of_the_worker),
    ]
}

async fn post(house: &House, path: &str, offer: &str) -> Result<Answer, Failed> {
    Request::new("POST", path).body(SDP, offer).send(house.address).await
}

/// Opens a session; where it is, and its ETag.
async fn open(house: &House, path: &str, offer: &str) -> Result<(String, String), Failed> {
    let answer = post(house, path, offer).await?;
    ensure(answer.status == 201, || format!("{answer:?}"))?;
    Ok((answer.field("location").to_owned(), answer.field("etag").to_owned()))
}

async fn delete(house: &House, session: &str) -> Result<u16, Failed> {
    Ok(Request::new("DELETE", session).send(house.address).await?.status)
}

async fn expect(house: &House, request: Request, status: u16) -> Result<Answer, Failed> {
    let shown = format!("{request:.200?}");
    let answer = request.send(house.address).await?;
    ensure(answer.status == status, || format!("{status} expected: {shown}: {answer:?}"))?;
    Ok(answer)
}

async fn life_of_a_publisher() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut ann = Visitor::join(house.address, "a%20b").await?;
    let answer = post(&house, "/whip/a%20b?x=y", SENDS).await?;
    ensure(answer.status == 201 && answer.field("content-type") == SDP, || format!("{answer:?}"))?;
    let etag = answer.field("etag");
    ensure(etag.len() > 4 && etag.starts_with('"') && etag.ends_with('"'), || etag.to_owned())?;
    ensure(answer.field("access-control-allow-origin") == "*", || format!("{answer:?}"))?;
    for line in ["a=ice-lite", "a=setup:passive", "a=recvonly", "a=candidate:", "a=rtpmap:96 VP8/90000"] {
        ensure(answer.body.contains(line), || format!("no {line}: {}", answer.body))?;
    }
    let session = answer.field("location").to_owned();
    let name = session.strip_prefix("/whip/a%20b/").unwrap_or_default();
    ensure(name.len() == 32, || session.clone())?;
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let told = ann.event("newProducer").await?;
        ensure(told["peerId"] == "whip-2", || told.to_string())?;
        kinds.push(text(&told["kind"])?.to_owned());
    }
    ensure(kinds == ["audio", "video"], || format!("{kinds:?}"))?;
    // Elsewhere it is nobody's.
    for wrong in [format!("/whip/b/{name}"), format!("/whep/a%20b/{name}"), format!("/whip/a%20b/{name}0")] {
        ensure(delete(&house, &wrong).await? == 404, || wrong)?;
    }
    ensure(delete(&house, &session).await? == 200, || "not ended".to_owned())?;
    ensure(ann.event("peerLeft").await?["peerId"] == "whip-2", || "another left".to_owned())?;
    ensure(delete(&house, &session).await? == 404, || "ended twice".to_owned())?;
    drop(ann);
    house.is_left_clean().await
}

async fn patches() -> Result<(), Failed> {
    let house = House::open().await?;
    let (session, etag) = open(&house, "/whip/a", SENDS).await?;
    let patch = |body: &str| Request::new("PATCH", &session).body(FRAGMENT, body);
    let own = fragment(&credential("a=ice-ufrag:")?, &credential("a=ice-pwd:")?);
    let answer = expect(&house, patch(&own).with("if-match", &etag), 204).await?;
    ensure(answer.field("etag").is_empty() && answer.body.is_empty(), || format!("{answer:?}"))?;
    expect(&house, patch(&own), 428).await?;
    expect(&house, patch(&own).with("if-match", "\"another\""), 412).await?;
    expect(&house, patch("hello").with("if-match", &etag), 400).await?;
    let wrong = Request::new("PATCH", &session).body(SDP, &own).with("if-match", &etag);
    expect(&house, wrong, 415).await?;
    expect(&house, patch(&"a=x\r\n".repeat(20_000)).with("if-match", &etag), 413).await?;
    // Other credentials are another ICE session.
    let next = fragment("abcd", &"x".repeat(24));
    let restarted = expect(&house, patch(&next).with("if-match", "*"), 200).await?;
    ensure(restarted.field("content-type") == FRAGMENT, || format!("{restarted:?}"))?;
    let fresh = restarted.field("etag").to_owned();
    let ufrag = format!("a=ice-ufrag:{}", fresh.trim_matches('"'));
    ensure(fresh != etag && restarted.body.contains(&ufrag), || format!("{restarted:?}"))?;
    expect(&house, patch(&next).with("if-match", &etag), 412).await?;
    expect(&house, patch(&next).with("if-match", &fresh), 204).await?;
    let again = patch(&own).with("if-match", &format!("\"x\", {fresh}"));
    expect(&house, again, 200).await?;
    delete(&house, &session).await?;
    expect(&house, patch(&own).with("if-match", "*"), 404).await?;
    house.is_left_clean().await
}

async fn bad_requests() -> Result<(), Failed> {
    let house = House::open().await?;
    for door in ["whip", "whep"] {
        let path = format!("/{door}/a");
        let request = |content_type: &str, body: &str| Request::new("POST", &path).body(content_type, body);
        expect(&house, Request::new("POST", &path), 415).await?;
        expect(&house, request("text/plain", SENDS), 415).await?;
        expect(&house, request(SDP, ""), 400).await?;
        expect(&house, request("Application/SDP; charset=utf-8", "hello"), 400).await?;
        expect(&house, request(SDP, &"a".repeat(70_000)), 413).await?;
        expect(&house, request(SDP, &SENDS.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), 422).await?;
        let bad = Request::new("POST", &format!("/{door}/{}", "x".repeat(65))).body(SDP, SENDS);
        let answer = expect(&house, bad, 400).await?;
        ensure(answer.body.contains("64"), || answer.body.clone())?;
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = expect(&house, Request::new(method, &path), 405).await?;
            ensure(answer.field("allow").contains("POST"), || format!("{answer:?}"))?;
        }
        expect(&house, Request::new("GET", &format!("{path}/none")), 405).await?;
        expect(&house, Request::new("DELETE", &format!("{path}/none")), 404).await?;
    }
    // Who publishes sends something that the room forwards, with a certificate.
    let unfit = [
        RECEIVES.to_owned(),
        SENDS
            .replace("VP8/", "THEORA/")
            .replace("opus/", "speex/")
            .replace("VP9/", "x/")
            .replace("H264/", "y/")
            .replace("AV1/", "z/"),
        SENDS.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:"),
    ];
    for offer in unfit {
        let answer = post(&house, "/whip/a", &offer).await?;
        ensure(answer.status == 422 && answer.body.len() > 10, || format!("{answer:?}"))?;
    }
    house.is_left_clean().await
}

async fn cross_origin() -> Result<(), Failed> {
    let house = House::open().await?;
    let (session, _) = open(&house, "/whip/a", SENDS).await?;
    let cases = [
        ("/whip/a", "accept-post", SDP, "POST"),
        ("/whep/a", "accept-post", SDP, "POST"),
        (&session, "accept-patch", FRAGMENT, "PATCH"),
    ];
    for (path, field, value, method) in cases {
        let request = Request::new("OPTIONS", path).with("origin", "https://example.com");
        let answer = expect(&house, request.with("access-control-request-method", method), 200).await?;
        ensure(answer.field(field) == value, || format!("{answer:?}"))?;
        ensure(answer.field("access-control-allow-methods").contains(method), || format!("{answer:?}"))?;
        for name in ["authorization", "content-type", "if-match"] {
            ensure(answer.field("access-control-allow-headers").contains(name), || format!("{answer:?}"))?;
        }
    }
    // Refusals too may be read, and what else a client needs.
    let answer = post(&house, "/whep/b", RECEIVES).await?;
    ensure(answer.field("access-control-allow-origin") == "*", || format!("{answer:?}"))?;
    for name in ["location", "etag", "retry-after"] {
        ensure(answer.field("access-control-expose-headers").contains(name), || format!("{answer:?}"))?;
    }
    Ok(())
}

async fn players() -> Result<(), Failed> {
    let house = House::open().await?;
    let (publisher, _) = open(&house, "/whip/a", SENDS).await?;
    for (offer, video, audio) in [(RECEIVES, 96, 111), (GSTREAMER_RECEIVES, 97, 98)] {
        let answer = post(&house, "/whep/a", offer).await?;
        ensure(answer.status == 201, || format!("{answer:?}"))?;
        let lines = [format!("a=rtpmap:{video} VP8/90000"), format!("a=rtpmap:{audio} opus/48000/2")];
        for line in lines {
            ensure(answer.body.contains(&line), || format!("no {line}: {}", answer.body))?;
        }
        ensure(answer.body.matches("a=sendonly").count() == 2, || answer.body.clone())?;
        let session = answer.field("location").to_owned();
        ensure(session.starts_with("/whep/a/"), || session.clone())?;
        ensure(delete(&house, &session).await? == 200, || "not ended".to_owned())?;
    }
    // Of what it cannot receive the rest is played; if that is nothing, it is told so.
    let deaf = RECEIVES.replace("opus/", "speex/");
    let answer = post(&house, "/whep/a", &deaf).await?;
    ensure(answer.status == 201 && answer.body.contains("a=inactive"), || format!("{answer:?}"))?;
    ensure(delete(&house, answer.field("location")).await? == 200, || "not ended".to_owned())?;
    let answer = post(&house, "/whep/a", &deaf.replace("VP8/", "THEORA/")).await?;
    ensure(answer.status == 422, || format!("{answer:?}"))?;
    let answer = post(&house, "/whep/a", SENDS).await?;
    ensure(answer.status == 422, || format!("{answer:?}"))?;
    delete(&house, &publisher).await?;
    house.is_left_clean().await
}

async fn which_is_played() -> Result<(), Failed> {
    let house = House::open().await?;
    open(&house, "/whip/a", SENDS).await?;
    // A visitor with sound alone, who came later: the picture's own sound goes with it.
    let mut ann = Visitor::join(house.address, "a").await?;
    ann.produce().await?;
    let cname = "dDk1+IqKyHQa0MPm";
    let answer = post(&house, "/whep/a", RECEIVES).await?;
    ensure(answer.body.matches(&format!("cname:{cname}")).count() == 3, || answer.body.clone())?;
    let answer = post(&house, "/whep/a?peer=peer-2", RECEIVES).await?;
    let is_sound = answer.body.matches("a=sendonly").count() == 1 && answer.body.contains("a=inactive");
    ensure(answer.status == 201 && is_sound && !answer.body.contains(cname), || answer.body.clone())?;
    let answer = post(&house, "/whep/a?peer=whip-1", RECEIVES).await?;
    ensure(answer.body.contains(cname), || answer.body.clone())?;
    let answer = post(&house, "/whep/a?peer=nobody", RECEIVES).await?;
    ensure(answer.status == 409, || format!("{answer:?}"))?;
    // Another picture is newer.
    open(&house, "/whip/a", GSTREAMER_SENDS).await?;
    let answer = post(&house, "/whep/a", RECEIVES).await?;
    ensure(answer.body.contains("cname:user358351577"), || answer.body.clone())
}

async fn nothing_to_play() -> Result<(), Failed> {
    let house = House::open().await?;
    let answer = post(&house, "/whep/a", RECEIVES).await?;
    let retry = answer.field("retry-after").parse::<u64>().unwrap_or_default();
    ensure(answer.status == 409 && retry > 0, || format!("{answer:?}"))?;
    // Nor was a room made for it.
    house.is_left_clean().await
}

async fn end_of_what_is_played() -> Result<(), Failed> {
    let house = House::open().await?;
    let (publisher, _) = open(&house, "/whip/a", SENDS).await?;
    let (player, _) = open(&house, "/whep/a", RECEIVES).await?;
    delete(&house, &publisher).await?;
    house.is_left_clean().await?;
    ensure(delete(&house, &player).await? == 404, || "it plays still".to_owned())
}

async fn never_connected() -> Result<(), Failed> {
    let house = House::within(Limits { connecting: Duration::from_millis(300), ..Limits::default() }).await?;
    let mut ann = Visitor::enter(house.address, "a").await?;
    let (session, _) = open(&house, "/whip/a", SENDS).await?;
    ensure(ann.event("peerLeft").await?["peerId"] == "whip-2", || "another left".to_owned())?;
    ensure(delete(&house, &session).await? == 404, || "it is there still".to_owned())?;
    drop(ann);
    house.is_left_clean().await
}

async fn too_many() -> Result<(), Failed> {
    let limits = Limits { sessions: 2, visitors: 3, rooms: 2, ..Limits::default() };
    let house = House::within(limits).await?;
    let is_refused = |answer: &Answer, why: &str| {
        let retry = answer.field("retry-after").parse::<u64>().unwrap_or_default();
        ensure(answer.status == 503 && retry > 0 && answer.body.contains(why), || format!("{answer:?}"))
    };
    let (first, _) = open(&house, "/whip/a", SENDS).await?;
    let (second, _) = open(&house, "/whep/a", RECEIVES).await?;
    is_refused(&post(&house, "/whip/a", SENDS).await?, "2 sessions")?;
    ensure(delete(&house, &second).await? == 200, || "not ended".to_owned())?;
    let _visitors = (Visitor::enter(house.address, "a").await?, Visitor::enter(house.address, "a").await?);
    is_refused(&post(&house, "/whip/a", SENDS).await?, "this room is full: 3")?;
    is_refused(&post(&house, "/whep/a", RECEIVES).await?, "this room is full: 3")?;
    let _other = Visitor::enter(house.address, "b").await?;
    is_refused(&post(&house, "/whip/c", SENDS).await?, "2 rooms already")?;
    // Whoever was refused took no place.
    delete(&house, &first).await?;
    open(&house, "/whip/b", SENDS).await?;
    open(&house, "/whip/a", SENDS).await?;
    Ok(())
}

async fn death_of_the_worker() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut ann = Visitor::join(house.address, "a").await?;
    let (session, etag) = open(&house, "/whip/a", SENDS).await?;
    let (player, _) = open(&house, "/whep/a", RECEIVES).await?;
    kill_worker(&house).await?;
    ann.event("workerDied").await?;
    let patch = Request::new("PATCH", &session).body(FRAGMENT, &fragment("abcd", &"x".repeat(24)));
    for _ in 0..LOOKS_MAX {
        if delete(&house, &player).await? == 404 {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    expect(&house, patch.with("if-match", &etag), 404).await?;
    ensure(delete(&house, &session).await? == 404, || "it outlived its worker".to_owned())?;
    ann.event("welcome").await?;
    let (again, _) = open(&house, "/whip/a", SENDS).await?;
    // After another early death there is none for half a second.
    kill_worker(&house).await?;
    ann.event("workerDied").await?;
    let answer = post(&house, "/whip/a", SENDS).await?;
    ensure(answer.status == 503 && !answer.field("retry-after").is_empty(), || format!("{answer:?}"))?;
    ensure(delete(&house, &again).await? == 404, || "it outlived its worker".to_owned())?;
    drop(ann);
    Ok(())
}

async fn kill_worker(house: &House) -> Result<(), Failed> {
    Ok(kill(Pid::from_raw(i32::try_from(house.worker_pid().await?)?), Signal::SIGKILL)?)
}

/// A fragment of trickle ICE (RFC 8840 9) with these credentials.
fn fragment(ufrag: &str, pwd: &str) -> String {
    format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2113937151 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
    )
}

/// Of the offer to send.
fn credential(start: &str) -> Result<String, Failed> {
    let mut lines = SENDS.lines().filter_map(|line| line.strip_prefix(start));
    Ok(lines.next().ok_or_else(|| format!("no {start}"))?.to_owned())
}

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const SENDS: &str = include_str!("../offers/chromium-156-sendonly.sdp");
const RECEIVES: &str = include_str!("../offers/chromium-156-recvonly.sdp");
const GSTREAMER_SENDS: &str = include_str!("../offers/gstreamer-1.22-sendonly.sdp");
const GSTREAMER_RECEIVES: &str = include_str!("../offers/gstreamer-1.22-recvonly.sdp");
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// 4 s.
const LOOKS_MAX: u32 = 200;
