//! Observers of a real worker, which tell of levels that real datagrams carry.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use libtest_mimic::Trial;
use tidegate::{
    ActiveSpeakerObserverEvent, ActiveSpeakerObserverOptions, AudioLevelObserverEvent,
    AudioLevelObserverOptions, ErrorKind, Events, ListenInfo, MediaKind, PlainTransport,
    PlainTransportOptions, Producer, ProducerOptions, Router, RouterOptions, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, Worker,
};
use tokio::time::timeout;

use crate::{settings, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("volumes_and_silence_are_told_of_what_is_sent", volumes_and_silence_are_told_of_what_is_sent),
        trial("whoever_talks_is_told_to_lead", whoever_talks_is_told_to_lead),
        trial("observers_are_dumped_refused_and_closed", observers_are_dumped_refused_and_closed),
    ]
}

const LEVEL_ID: u8 = 10;
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody with a microphone.
struct Peer {
    socket: UdpSocket,
    ssrc: u32,
    sequence: u16,
    _transport: PlainTransport,
    producer: Producer,
}

impl Peer {
    async fn joins(router: &Router, ssrc: u32) -> Self {
        let listen_info = ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(0);
        let options = PlainTransportOptions::new(listen_info).with_comedia();
        let transport = router.create_plain_transport(options).await.unwrap();
        let level = "urn:ietf:params:rtp-hdrext:ssrc-audio-level".to_owned();
        let rtp_parameters = RtpParameters {
            codecs: vec![RtpCodecParameters::opus(100)],
            header_extensions: vec![RtpHeaderExtensionParameters {
                uri: level,
                id: LEVEL_ID,
                encrypt: false,
            }],
            encodings: vec![RtpEncodingParameters::of_ssrc(ssrc)],
            ..Default::default()
        };
        let producer =
            transport.produce(ProducerOptions::new(MediaKind::Audio, rtp_parameters)).await.unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, transport.tuple().local_port)).unwrap();
        Self { socket, ssrc, sequence: 1, _transport: transport, producer }
    }

    /// Sends a packet of 20 ms so many decibels below the loudest (RFC 6464, one-byte form of RFC 8285).
    fn sends(&mut self, below_full_db: u8) {
        self.sequence += 1;
        let mut packet = vec![0x90, 100];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 960).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([0xBE, 0xDE, 0, 1, LEVEL_ID << 4, below_full_db, 0, 0]);
        packet.extend([0x78; 40]);
        self.socket.send(&packet).unwrap();
    }
}

async fn router() -> (Worker, Router) {
    let worker = Worker::spawn(settings()).await.unwrap();
    let options = RouterOptions::new(vec![RtpCodecCapability::opus(), RtpCodecCapability::vp8()]);
    let router = worker.create_router(options).await.unwrap();
    (worker, router)
}

async fn next<E>(events: &mut Events<E>) -> E {
    timeout(PATIENCE, events.next()).await.expect("an event").expect("not the end")
}

async fn volumes_and_silence_are_told_of_what_is_sent() {
    let (_worker, router) = router().await;
    let (mut loud, mut quiet) = (Peer::joins(&router, 1).await, Peer::joins(&router, 2).await);
    let options = AudioLevelObserverOptions {
        max_entries: 5,
        interval: Duration::from_millis(250),
        ..AudioLevelObserverOptions::default()
    };
    let observer = router.create_audio_level_observer(options).await.unwrap();
    let mut events = observer.events();
    observer.add_producer(&quiet.producer).await.unwrap();
    observer.add_producer(&loud.producer).await.unwrap();
    // Enough for two intervals, should one end in the middle of them.
    for _ in 0..40 {
        loud.sends(20);
        quiet.sends(70);
    }
    let AudioLevelObserverEvent::Volumes(volumes) = next(&mut events).await else { panic!("no volumes") };
    let told: Vec<_> = volumes.iter().map(|level| (level.producer_id.as_str(), level.volume)).collect();
    assert_eq!(told, [(loud.producer.id(), -20), (quiet.producer.id(), -70)]);
    while next(&mut events).await != AudioLevelObserverEvent::Silence {}
    observer.pause().await.unwrap();
    assert!(observer.is_paused() && observer.dump().await.unwrap().paused);
    observer.resume().await.unwrap();
    assert!(!observer.is_paused() && !observer.dump().await.unwrap().paused);
    observer.remove_producer(&quiet.producer).await.unwrap();
    assert_eq!(*observer.dump().await.unwrap().producer_ids, [loud.producer.wire_id()]);
    loud.producer.close();
    assert!(observer.dump().await.unwrap().producer_ids.is_empty());
}

async fn whoever_talks_is_told_to_lead() {
    let (_worker, router) = router().await;
    let mut peers = Vec::new();
    let options = ActiveSpeakerObserverOptions { interval: Duration::from_millis(100) };
    let observer = router.create_active_speaker_observer(options).await.unwrap();
    let mut events = observer.events();
    for ssrc in 1..=3 {
        let peer = Peer::joins(&router, ssrc).await;
        observer.add_producer(&peer.producer).await.unwrap();
        peers.push(peer);
    }
    for talks in [1, 2] {
        let leads = timeout(PATIENCE, conversation(&mut peers, talks, &mut events)).await.expect("a speaker");
        assert_eq!(leads, peers[talks].producer.id());
    }
}

/// One talks, with a pause after every quarter of a second, and the others do not, until somebody is told to lead.
async fn conversation(
    peers: &mut [Peer],
    talks: usize,
    events: &mut Events<ActiveSpeakerObserverEvent>,
) -> String {
    let mut every_20_ms = tokio::time::interval(Duration::from_millis(20));
    for packet in 0_u32.. {
        tokio::select! {
            event = events.next() => match event {
                Some(ActiveSpeakerObserverEvent::DominantSpeaker { producer_id }) => return producer_id,
                other => panic!("{other:?}"),
            },
            _ = every_20_ms.tick() => {}
        }
        let sounds = packet % 16 > 3;
        for (who, peer) in peers.iter_mut().enumerate() {
            peer.sends(if who == talks && sounds { 20 } else { 70 });
        }
    }
    unreachable!("somebody talks")
}

async fn observers_are_dumped_refused_and_closed() {
    let (worker, router) = router().await;
    let peer = Peer::joins(&router, 1).await;
    let levels = router.create_audio_level_observer(AudioLevelObserverOptions::default()).await.unwrap();
    let speaker =
        router.create_active_speaker_observer(ActiveSpeakerObserverOptions::default()).await.unwrap();
    assert_eq!(*router.dump().await.unwrap().observer_ids, [levels.wire_id(), speaker.wire_id()]);
    speaker.add_producer(&peer.producer).await.unwrap();
    let again = speaker.add_producer(&peer.producer).await.unwrap_err();
    assert_eq!(again.kind(), Some(ErrorKind::Duplicate));
    let never = levels.remove_producer(&peer.producer).await.unwrap_err();
    assert_eq!(never.kind(), Some(ErrorKind::NotFound));
    let other = worker.create_router(RouterOptions::default()).await.unwrap();
    let elsewhere = other.create_audio_level_observer(AudioLevelObserverOptions::default()).await.unwrap();
    let foreign = elsewhere.add_producer(&peer.producer).await.unwrap_err();
    assert_eq!(foreign.kind(), Some(ErrorKind::NotFound));
    let wrong = AudioLevelObserverOptions { threshold: 1, ..AudioLevelObserverOptions::default() };
    let wrong = router.create_audio_level_observer(wrong).await.unwrap_err();
    assert_eq!(wrong.kind(), Some(ErrorKind::InvalidArgument));
    let left = levels.wire_id();
    drop(speaker);
    assert_eq!(*router.dump().await.unwrap().observer_ids, [left]);
    levels.close();
    assert!(router.dump().await.unwrap().observer_ids.is_empty());
    assert_eq!(worker.dump().await.unwrap().panics_contained, 0);
}
