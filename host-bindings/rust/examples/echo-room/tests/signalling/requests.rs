//! Right and wrong requests.

use std::net::SocketAddr;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::house::House;
use crate::visitor::{Visitor, text};
use crate::{ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("malformed_requests_are_refused_and_the_conversation_goes_on", malformed),
        trial("requests_in_the_wrong_order_are_refused", wrong_order),
        trial("tracks_are_announced_paused_resumed_and_closed", life_of_a_track),
        trial("figures_come_once_they_are_asked_for", figures),
        trial("rooms_are_the_same_however_their_name_is_encoded", room_names),
        trial("names_that_no_room_can_have_are_refused", bad_room_names),
        trial("page_and_its_files_are_served_for_any_room", page),
    ]
}

async fn malformed() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    let cases = [
        ("", None),
        ("hello", None),
        ("[]", None),
        ("{}", None),
        ("null", None),
        (r#"{"id": -1, "method": "join"}"#, None),
        (r#"{"id": "x", "method": "routerRtpCapabilities"}"#, None),
        (r#"{"id": 7}"#, Some(7)),
        (r#"{"id": 8, "method": "fly"}"#, Some(8)),
        (r#"{"id": 9, "method": "consume"}"#, Some(9)),
        (r#"{"id": 10, "method": "consume", "data": {"transportId": 5, "producerId": "x"}}"#, Some(10)),
        (r#"{"id": 11, "method": "join", "data": {"rtpCapabilities": {"codecs": [{}]}}}"#, Some(11)),
        (r#"{"id": 18446744073709551616, "method": "join"}"#, None),
    ];
    for (said, id) in cases {
        visitor.say(Message::text(said)).await?;
        let told = visitor.wait(|told| told.get("error").is_some()).await?;
        ensure(told.get("id").and_then(Value::as_u64) == id, || format!("{said}: {told}"))?;
        ensure(text(&told["error"])?.starts_with("no request: "), || format!("{said}: {told}"))?;
    }
    let nested = "[".repeat(100_000);
    for said in [Message::text(nested), Message::binary(vec![0_u8, 255])] {
        visitor.say(said).await?;
        visitor.wait(|told| told.get("error").is_some()).await?;
    }
    visitor.ask("routerRtpCapabilities", Value::Null).await?;
    Ok(())
}

async fn wrong_order() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    let capabilities = visitor.ask("routerRtpCapabilities", Value::Null).await?;
    let transport = visitor.transport().await?["id"].clone();
    let nobody = json!({ "transportId": "nobody", "producerId": "nobody", "consumerId": "nobody" });
    let of_nobody = [
        ("closeProducer", "no track"),
        ("pauseProducer", "no track"),
        ("resumeProducer", "no track"),
        ("resumeConsumer", "no consumer"),
        ("pauseConsumer", "no consumer"),
        ("consumerStats", "no consumer"),
        ("transportStats", "no transport"),
        ("restartIce", "no transport"),
    ];
    for (method, why) in of_nobody {
        let error = visitor.refused(method, nobody.clone()).await?;
        ensure(error.starts_with(why), || format!("{method}: {error}"))?;
    }
    let consume = json!({ "transportId": transport, "producerId": "nobody" });
    let error = visitor.refused("consume", consume.clone()).await?;
    ensure(error.starts_with("join first"), || error)?;
    let join = json!({ "rtpCapabilities": capabilities });
    visitor.ask("join", join.clone()).await?;
    let error = visitor.refused("join", join).await?;
    ensure(error.contains("already"), || error)?;
    let error = visitor.refused("consume", consume).await?;
    ensure(error.starts_with("no track"), || error)?;

    let produce = json!({ "transportId": transport, "kind": "video", "rtpParameters": { "codecs": [] } });
    let error = visitor.refused("produce", produce).await?;
    ensure(error.contains("codecs"), || error)?;
    let connect = |fingerprints: Value| json!({ "transportId": transport, "dtlsParameters": { "role": "client", "fingerprints": fingerprints } });
    visitor.refused("connectTransport", connect(json!([]))).await?;
    let fingerprint = json!([{ "algorithm": "sha-256", "value": vec!["AB"; 32].join(":") }]);
    visitor.ask("connectTransport", connect(fingerprint.clone())).await?;
    visitor.refused("connectTransport", connect(fingerprint)).await?;
    // What belongs to somebody else is nobody's.
    let mut other = Visitor::join(house.address, "a").await?;
    let producer = other.produce().await?;
    let error = visitor.refused("closeProducer", json!({ "producerId": producer })).await?;
    ensure(error.starts_with("no track of yours"), || error)?;
    drop((visitor, other));
    house.is_left_clean().await
}

async fn life_of_a_track() -> Result<(), Failed> {
    let house = House::open().await?;
    let (mut ann, mut ben) =
        (Visitor::join(house.address, "a").await?, Visitor::join(house.address, "a").await?);
    let producer = ann.produce().await?;
    // Everybody is told, and whoever sends too: it is an echo room.
    for visitor in [&mut ann, &mut ben] {
        let told = visitor.event("newProducer").await?;
        ensure(told["producerId"] == producer && told["peerId"] == "peer-1", || told.to_string())?;
    }
    let transport = ben.transport().await?["id"].clone();
    let consume = json!({ "transportId": transport, "producerId": producer });
    let consumer = ben.ask("consume", consume.clone()).await?;
    ensure(consumer["producerPaused"] == false, || consumer.to_string())?;
    ben.ask("resumeConsumer", json!({ "consumerId": consumer["id"] })).await?;

    ann.ask("pauseProducer", json!({ "producerId": producer })).await?;
    ensure(ben.event("consumerPaused").await?["consumerId"] == consumer["id"], || "another".to_owned())?;
    let again = ben.ask("consume", consume).await?;
    ensure(again["producerPaused"] == true, || again.to_string())?;
    ann.ask("resumeProducer", json!({ "producerId": producer })).await?;
    ben.wait(|told| told["event"] == "consumerResumed" && told["data"]["consumerId"] == consumer["id"])
        .await?;
    ann.ask("closeProducer", json!({ "producerId": producer })).await?;
    for _ in 0..2 {
        ben.event("consumerClosed").await?;
    }
    drop(ann);
    ensure(ben.event("peerLeft").await?["peerId"] == "peer-1", || "another left".to_owned())?;
    drop(ben);
    house.is_left_clean().await
}

async fn figures() -> Result<(), Failed> {
    let house = House::open().await?;
    let (mut ann, mut ben) =
        (Visitor::enter(house.address, "a").await?, Visitor::enter(house.address, "b").await?);
    ann.ask("watchFigures", Value::Null).await?;
    ann.event("figures").await?;
    let told = ann.event("figures").await?;
    let worker = &told["worker"];
    ensure(told["rooms"] == 2 && told["visitors"] == 2, || told.to_string())?;
    ensure(worker["pid"] == house.worker_pid().await?, || told.to_string())?;
    ensure(worker["cpuPercent"].is_number() && worker["packetMemoryLimitBytes"] == 128 << 20, || {
        told.to_string()
    })?;
    ensure(worker["residentBytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), || told.to_string())?;
    ensure(worker["receivedPerSecond"].is_number() && worker["gsoRunLength"].is_null(), || told.to_string())?;
    // Whoever did not ask is not told.
    ben.ask("routerRtpCapabilities", Value::Null).await?;
    ensure(ben.untaken().is_empty(), || format!("{:?}", ben.untaken()))
}

async fn room_names() -> Result<(), Failed> {
    let house = House::open().await?;
    let ways = [
        ["a%20b", "a+b"],
        ["K%C3%BCche%2F%3Cb%3E%26%25", "%20K%c3%bcche%2f%3cb%3e%26%25%20"],
        ["%F0%9F%8C%8A", "%f0%9f%8c%8a"],
    ];
    for [one, other] in ways {
        let mut first = Visitor::join(house.address, one).await?;
        let mut second = Visitor::join(house.address, other).await?;
        second.produce().await?;
        first.event("newProducer").await?;
        second.event("newProducer").await?;
    }
    Ok(())
}

async fn bad_room_names() -> Result<(), Failed> {
    let house = House::open().await?;
    let long = "x".repeat(65);
    for (room, why) in [("", "needs a name"), ("%20%09", "needs a name"), (&long, "64"), ("a%00b", "control")]
    {
        let farewell = Visitor::knock(house.address, room).await?.farewell().await?;
        ensure(farewell.code == 4_000 && farewell.error.contains(why), || format!("{room}: {farewell:?}"))?;
    }
    house.is_left_clean().await
}

async fn page() -> Result<(), Failed> {
    let house = House::open().await?;
    for path in ["/", "/kitchen", "/K%C3%BCche%2F%3Cb%3E", "/%FF"] {
        let answer = get(house.address, path).await?;
        ensure(answer.starts_with("HTTP/1.1 200"), || format!("{path}: {answer}"))?;
        ensure(answer.contains("content-security-policy: default-src 'self'"), || {
            format!("{path}: {answer}")
        })?;
        ensure(answer.contains("<title>Echo room</title>"), || format!("{path}: {answer}"))?;
    }
    let script = get(house.address, "/page/main.js").await?;
    ensure(script.contains("content-type: text/javascript"), || script)?;
    for path in ["/page/../Cargo.toml", "/page/nothing.js", "/a/b"] {
        let answer = get(house.address, path).await?;
        ensure(answer.starts_with("HTTP/1.1 404"), || format!("{path}: {answer}"))?;
    }
    let answer = get(house.address, "/signalling?room=a").await?;
    ensure(answer.starts_with("HTTP/1.1 4"), || answer)
}

async fn get(address: SocketAddr, path: &str) -> Result<String, Failed> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
