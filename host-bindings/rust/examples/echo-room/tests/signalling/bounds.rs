//! Too much of something: visitors, rooms, sockets, bytes, silence.

use std::time::Duration;

use echo_room::Limits;
use libtest_mimic::{Failed, Trial};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::house::House;
use crate::visitor::{Farewell, Visitor};
use crate::{ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_full_room_lets_nobody_in_until_somebody_leaves", full_room),
        trial("there_are_only_so_many_rooms", rooms),
        trial("a_thousand_sockets_find_so_many_places", thousand_sockets),
        trial("a_visitor_has_only_so_many_transports_tracks_and_consumers", things_of_a_visitor),
        trial("a_message_that_is_too_long_ends_its_conversation_alone", long_message),
        trial("whoever_falls_silent_is_let_go", silence),
    ]
}

async fn full_room() -> Result<(), Failed> {
    let house = House::within(Limits { visitors: 2, ..Limits::default() }).await?;
    let (ann, mut ben) =
        (Visitor::enter(house.address, "a").await?, Visitor::enter(house.address, "a").await?);
    let farewell = Visitor::knock(house.address, "a").await?.farewell().await?;
    ensure(farewell.code == 4_001 && farewell.error.contains("this room is full: 2"), || {
        format!("{farewell:?}")
    })?;
    Visitor::enter(house.address, "b").await?;
    drop(ann);
    ben.event("peerLeft").await?;
    Visitor::enter(house.address, "a").await?;
    Ok(())
}

async fn rooms() -> Result<(), Failed> {
    let house = House::within(Limits { rooms: 2, ..Limits::default() }).await?;
    let (_ann, ben) = (Visitor::enter(house.address, "a").await?, Visitor::enter(house.address, "b").await?);
    let farewell = Visitor::knock(house.address, "c").await?.farewell().await?;
    ensure(farewell.code == 4_001 && farewell.error.contains("2 rooms already"), || format!("{farewell:?}"))?;
    // Those that are there may be entered, and one that is left makes room for another.
    let again = Visitor::enter(house.address, "b").await?;
    drop((ben, again));
    while house.held().await?.routers > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Visitor::enter(house.address, "c").await?;
    Ok(())
}

async fn thousand_sockets() -> Result<(), Failed> {
    // Both ends are in this process.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(4_096), hard)?;
    let limits = Limits { sockets: 100, connections: 150, ..Limits::default() };
    let house = House::within(limits).await?;
    let mut knocking = JoinSet::new();
    for number in 0..1_000 {
        let (address, room) = (house.address, format!("room-{}", number % 25));
        knocking.spawn(async move {
            let mut visitor = Visitor::knock(address, &room).await?;
            let told = visitor.wait(|_| true).await?;
            let entered = told["event"] == "welcome";
            ensure(entered || told["error"] == "100 visitors are here already; come back later", || {
                told.to_string()
            })?;
            // Who got in stays.
            Ok::<_, Failed>(entered.then_some(visitor))
        });
    }
    let mut inside = Vec::new();
    while let Some(knocked) = knocking.join_next().await {
        inside.extend(knocked??);
    }
    ensure(inside.len() == 100, || format!("{} got in", inside.len()))?;
    drop(inside);
    house.is_left_clean().await?;
    Visitor::join(house.address, "room-1").await?;
    Ok(())
}

async fn things_of_a_visitor() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut visitor = Visitor::join(house.address, "a").await?;
    for _ in 0..8 {
        visitor.produce().await?;
    }
    let error = visitor.refused("createTransport", json!({})).await?;
    ensure(error.contains("8 transports"), || error)?;
    let mut other = Visitor::join(house.address, "a").await?;
    let transport = other.transport().await?["id"].clone();
    let opus = json!({ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2 });
    for ssrc in 0..9 {
        let parameters =
            json!({ "codecs": [opus], "encodings": [{ "ssrc": 1 + ssrc }], "mid": ssrc.to_string() });
        let request = json!({ "transportId": transport, "kind": "audio", "rtpParameters": parameters });
        if ssrc < 8 {
            other.ask("produce", request).await?;
        } else {
            let error = other.refused("produce", request).await?;
            ensure(error.contains("8 tracks"), || error)?;
        }
    }
    let producer = other.event("newProducer").await?["producerId"].clone();
    let consume = json!({ "transportId": transport, "producerId": producer });
    for _ in 0..256 {
        other.ask("consume", consume.clone()).await?;
    }
    let error = other.refused("consume", consume).await?;
    ensure(error.contains("256 consumers"), || error)?;
    drop((visitor, other));
    house.is_left_clean().await
}

async fn long_message() -> Result<(), Failed> {
    let house = House::open().await?;
    let (mut ann, mut ben) =
        (Visitor::enter(house.address, "a").await?, Visitor::enter(house.address, "a").await?);
    // As long as a message may be: it is read, and makes no sense.
    ann.say(Message::text("x".repeat(256 << 10))).await?;
    ann.wait(|told| told.get("error").is_some()).await?;
    ann.say(Message::text("x".repeat((256 << 10) + 1))).await?;
    let Farewell { error, code } = ann.farewell().await?;
    ensure(code == 1_008 && error.contains("the last message"), || format!("{code}: {error}"))?;
    ben.event("peerLeft").await?;
    ben.ask("routerRtpCapabilities", Value::Null).await?;
    Ok(())
}

async fn silence() -> Result<(), Failed> {
    let house = House::within(Limits { silence: Duration::from_millis(600), ..Limits::default() }).await?;
    // It answers pings while it waits, which is all that a browser does.
    let mut awake = Visitor::enter(house.address, "a").await?;
    let asleep = Visitor::enter(house.address, "a").await?;
    let mut mute = TcpStream::connect(house.address).await?;
    ensure(awake.event("peerLeft").await?["peerId"] == "peer-2", || "another left".to_owned())?;
    ensure(mute.read(&mut [0; 64]).await? == 0, || "it was told something".to_owned())?;
    // Several silences later.
    let patient = tokio::time::timeout(Duration::from_secs(2), awake.event("peerLeft")).await;
    ensure(patient.is_err(), || format!("{patient:?}"))?;
    awake.ask("routerRtpCapabilities", Value::Null).await?;
    drop(asleep);
    Ok(())
}
