//! What observers tell of the loudness of producers, when, and of whom.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod random;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ObserverId, ProducerId, RouterId, TransportId};
use tidegate_protocol::observer::{AudioLevelObserverOptions, ObserverKind};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_tests::world::parameters::{AUDIO_LEVEL, MID, Stream};
use tidegate_tests::world::peer::{Sender, address};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::run::Origin;
use tidegate_tests::world::source::SourceOptions;
use tidegate_tests::world::voice::Says;
use tidegate_tests::world::{Beginning, World};

const LEVEL_ID: u8 = 3;
const TELL_TWO: AudioLevelObserverOptions =
    AudioLevelObserverOptions { max_entries: 2, threshold: -50, interval_ms: 1_000 };

/// The `n`th microphone, which tells levels.
fn microphone(n: u8) -> Stream {
    Stream::opus(0x1000 + u32::from(n)).with_extensions(&[(AUDIO_LEVEL, LEVEL_ID)])
}

/// A source that says this, with its own transport and producer.
fn heard(world: &mut World, router: RouterId, n: u8, says: Says) -> Origin {
    let options = SourceOptions::microphone(microphone(n), address(n, 4_000));
    let origin = world.originate(router, options);
    world.source_mut(origin.source).says(says);
    origin
}

/// Volumes that were told since the last time, one list an event.
fn volumes(world: &mut World) -> Vec<Vec<(ProducerId, i8)>> {
    let events = world.take_events().into_iter();
    let volumes = events.filter_map(|event| match event {
        Event::AudioLevels { volumes, .. } => Some(volumes),
        _ => None,
    });
    volumes.map(|list| list.iter().map(|entry| (entry.producer, entry.volume)).collect()).collect()
}

/// Speakers that were told since the last time.
fn speakers(world: &mut World) -> Vec<ProducerId> {
    let events = world.take_events().into_iter();
    let speakers = events.filter_map(|event| match event {
        Event::DominantSpeaker { producer, .. } => Some(producer),
        _ => None,
    });
    speakers.collect()
}

/// A packet's worth of sound at this level.
fn at_level(sender: &mut Sender, level: u8) -> RtpPacket {
    RtpPacket { extensions: vec![(LEVEL_ID, vec![level])], ..sender.sound() }
}

/// A producer whose packets are sent by hand, and an observer of it that tells one every 250 ms.
fn by_hand(world: &mut World, stream: &Stream) -> (Sender, ProducerId, ObserverId) {
    let router = world.router();
    let transport = world.comedia(router);
    let producer = world.produce(transport.id, stream);
    let sender = Sender::new(address(1, 4_000), transport.rtp, stream.clone());
    let options = AudioLevelObserverOptions { max_entries: 1, threshold: -80, interval_ms: 250 };
    let observer = world.audio_level_observer(router, options);
    world.observe(observer, producer);
    (sender, producer, observer)
}

#[test]
fn the_loudest_are_told_once_an_interval_loudest_first_and_no_more_than_were_asked_for() {
    let mut world = World::new();
    let router = world.router();
    let levels = [40, 51, 127, 10, 25];
    let origins: Vec<Origin> =
        (1..).zip(levels).map(|(n, level)| heard(&mut world, router, n, Says::Level(level))).collect();
    let observer = world.audio_level_observer(router, TELL_TWO);
    origins.iter().for_each(|origin| world.observe(observer, origin.producer));
    world.run_for(10_010);
    let told = vec![(origins[3].producer, -10), (origins[4].producer, -25)];
    assert_eq!(volumes(&mut world), vec![told; 10]);
    world.source_mut(origins[3].source).says(Says::Level(90));
    world.run_for(2_000);
    let told = vec![(origins[4].producer, -25), (origins[0].producer, -40)];
    assert_eq!(volumes(&mut world).pop(), Some(told));
}

#[test]
fn silence_is_told_once_and_only_after_a_sound() {
    let mut world = World::new();
    let router = world.router();
    let origin = heard(&mut world, router, 1, Says::Nothing);
    let observer = world.audio_level_observer(router, TELL_TWO);
    world.observe(observer, origin.producer);
    world.run_for(3_010);
    assert_eq!(volumes(&mut world), Vec::<Vec<_>>::new());
    world.source_mut(origin.source).says(Says::Level(50));
    world.run_for(2_000);
    assert_eq!(volumes(&mut world).len(), 2);
    world.source_mut(origin.source).stop();
    world.run_for(5_000);
    let told = volumes(&mut world);
    assert_eq!(told.iter().filter(|list| list.is_empty()).count(), 1);
    assert!(told.last().is_some_and(Vec::is_empty), "{told:?}");
}

#[test]
fn the_rhythm_is_kept_whatever_the_interval_and_intervals_are_taken_into_their_range() {
    for (asked, taken) in [(0, 250), (250, 250), (333, 333), (5_000, 5_000), (u16::MAX, 5_000)] {
        let mut world = World::new();
        let router = world.router();
        let origin = heard(&mut world, router, 1, Says::Level(3));
        let options = AudioLevelObserverOptions { interval_ms: asked, ..TELL_TWO };
        let observer = world.audio_level_observer(router, options);
        world.observe(observer, origin.producer);
        world.run_for(100_020);
        assert_eq!(volumes(&mut world).len(), 100_020 / taken, "{asked} ms");
    }
}

#[test]
fn nine_packets_in_an_interval_are_silence_and_ten_are_not() {
    let mut world = World::new();
    let (mut sender, producer, _) = by_hand(&mut world, &microphone(1));
    for (packets, told) in [(9, vec![]), (10, vec![vec![(producer, -30)]]), (9, vec![vec![]])] {
        let packets: Vec<_> = (0..packets).map(|_| at_level(&mut sender, 30)).collect();
        sender.sends(&mut world, &packets);
        world.run_for(260);
        assert_eq!(volumes(&mut world), told);
    }
}

#[test]
fn only_what_is_forwarded_and_says_how_loud_it_is_counts() {
    let mut world = World::new();
    let (sender, producer, _) = by_hand(&mut world, &microphone(1));
    let is_heard = |world: &mut World, packets: &[RtpPacket]| {
        sender.sends(world, packets);
        world.run_for(260);
        volumes(world).iter().any(|list| !list.is_empty())
    };
    let mut other = Sender::new(address(1, 4_000), address(2, 2), microphone(1));
    let mut packets = |change: fn(&mut RtpPacket)| -> Vec<RtpPacket> {
        let packets = (0..12).map(|_| at_level(&mut other, 0x80 | 20));
        packets.map(|mut packet| (change(&mut packet), packet).1).collect()
    };
    let known = packets(|_| ());
    assert!(is_heard(&mut world, &known), "the voice flag is no part of the level");
    assert!(is_heard(&mut world, &packets(|packet| packet.two_byte = true)));
    assert!(!is_heard(&mut world, &known), "duplicates");
    assert!(!is_heard(&mut world, &packets(|packet| packet.extensions.clear())), "without levels");
    assert!(!is_heard(&mut world, &packets(|packet| packet.extensions[0].0 = 4)), "another extension");
    assert!(!is_heard(&mut world, &packets(|packet| packet.extensions[0].1 = vec![20, 20])), "two bytes");
    world.done(Command::PauseProducer { producer });
    assert!(!is_heard(&mut world, &packets(|_| ())), "a paused producer");
    world.done(Command::ResumeProducer { producer });
    assert!(is_heard(&mut world, &packets(|_| ())));
}

#[test]
fn who_was_not_told_of_the_extension_reads_no_levels() {
    let mut world = World::new();
    let (mut sender, ..) = by_hand(&mut world, &Stream::opus(7).with_extensions(&[(MID, LEVEL_ID)]));
    let packets: Vec<_> = (0..12).map(|_| at_level(&mut sender, 30)).collect();
    sender.sends(&mut world, &packets);
    world.run_for(1_000);
    assert_eq!(volumes(&mut world), Vec::<Vec<_>>::new());
}

#[test]
fn a_paused_observer_tells_silence_and_then_nothing_and_begins_an_interval_when_resumed() {
    let mut world = World::new();
    let router = world.router();
    let origin = heard(&mut world, router, 1, Says::Level(20));
    let observer = world.audio_level_observer(router, TELL_TWO);
    world.observe(observer, origin.producer);
    world.run_for(1_500);
    assert_eq!(volumes(&mut world).len(), 1);
    world.done(Command::PauseObserver { observer });
    world.done(Command::PauseObserver { observer });
    assert_eq!(volumes(&mut world), [vec![]]);
    assert!(world.observer_dump(observer).paused);
    world.run_for(10_000);
    assert_eq!(volumes(&mut world), Vec::<Vec<_>>::new());
    world.source_mut(origin.source).says(Says::Level(40));
    world.run_for(40);
    world.done(Command::ResumeObserver { observer });
    world.done(Command::ResumeObserver { observer });
    world.run_for(980);
    assert_eq!(volumes(&mut world), Vec::<Vec<_>>::new());
    world.run_for(40);
    assert_eq!(volumes(&mut world), [[(origin.producer, -40)]], "nothing of what was before");
}

#[test]
fn the_end_of_whom_is_observed_is_silence_told_at_once() {
    let mut world = World::new();
    let router = world.router();
    let ways: [fn(&Origin, ObserverId) -> Command; 3] = [
        |origin, observer| Command::RemoveObservedProducer { observer, producer: origin.producer },
        |origin, _| Command::CloseProducer { producer: origin.producer },
        |origin, _| Command::CloseTransport { transport: origin.transport.id },
    ];
    for (n, way) in (1..).zip(ways) {
        let origin = heard(&mut world, router, n, Says::Level(20));
        let observer = world.audio_level_observer(router, TELL_TWO);
        world.observe(observer, origin.producer);
        world.run_for(1_020);
        assert_eq!(volumes(&mut world).len(), 1);
        world.done(way(&origin, observer));
        assert_eq!(volumes(&mut world), [vec![]]);
        assert!(world.observer_dump(observer).producer_ids.is_empty());
        world.source_mut(origin.source).vanish();
        world.audit();
    }
}

#[test]
fn closing_an_observer_or_its_router_tells_nothing_and_leaves_nothing() {
    let mut world = World::new();
    let router = world.router();
    let origin = heard(&mut world, router, 1, Says::Level(20));
    let observers = [
        world.audio_level_observer(router, TELL_TWO),
        world.active_speaker_observer(router, 300),
        world.audio_level_observer(router, TELL_TWO),
    ];
    observers.into_iter().for_each(|observer| world.observe(observer, origin.producer));
    world.run_for(2_000);
    world.take_events();
    let dump = |world: &mut World| match world.request(Command::DumpRouter { router }) {
        Ok(Reply::RouterDump(dump)) => dump.observer_ids.into_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(dump(&mut world), observers);
    world.done(Command::CloseObserver { observer: observers[0] });
    assert_eq!(dump(&mut world), observers[1..]);
    let not_there = Command::DumpObserver { observer: observers[0] };
    assert_eq!(world.refusal(not_there), ErrorKind::NotFound);
    assert_eq!(world.metric("observers"), 2);
    world.audit();
    world.done(Command::CloseRouter { router });
    assert_eq!(world.metric("observers"), 0);
    world.source_mut(origin.source).vanish();
    world.run_for(10_000);
    assert_eq!(volumes(&mut world), Vec::<Vec<_>>::new());
    assert!(!world.has_timers(), "timers of closed observers find nobody");
}

#[test]
fn an_observer_has_one_timer_and_only_while_it_observes_somebody() {
    let mut world = World::new();
    let router = world.router();
    let transport = world.comedia(router);
    let producer = world.produce(transport.id, &microphone(1));
    let idle = world.metric("timers");
    let observer = world.audio_level_observer(router, TELL_TWO);
    assert_eq!(world.metric("timers"), idle);
    for _ in 0..1_000 {
        world.observe(observer, producer);
        world.done(Command::PauseObserver { observer });
        world.done(Command::ResumeObserver { observer });
        world.done(Command::RemoveObservedProducer { observer, producer });
    }
    assert_eq!(world.metric("timers"), idle + 1);
    world.run_for(2_000);
    assert!(world.metric("timers") <= idle, "it goes off once in vain");
}

#[test]
fn what_cannot_be_observed_is_refused_and_changes_nothing() {
    let mut world = World::new();
    let (router, other_router) = (world.router(), world.router());
    let transport = world.comedia(router);
    let other_transport = world.comedia(other_router);
    let audio = world.produce(transport.id, &microphone(1));
    let video = world.produce(transport.id, &Stream::vp8(2));
    let stranger = world.produce(other_transport.id, &microphone(3));
    let observers =
        [world.audio_level_observer(router, TELL_TWO), world.active_speaker_observer(router, 300)];
    for observer in observers {
        let add = |producer| Command::AddObservedProducer { observer, producer };
        let remove = |producer| Command::RemoveObservedProducer { observer, producer };
        world.done(add(audio));
        let refused = [
            (add(audio), ErrorKind::Duplicate),
            (add(video), ErrorKind::InvalidArgument),
            (add(stranger), ErrorKind::NotFound),
            (add(ProducerId(99)), ErrorKind::NotFound),
            (remove(video), ErrorKind::NotFound),
            (remove(stranger), ErrorKind::NotFound),
            (remove(ProducerId(99)), ErrorKind::NotFound),
        ];
        for (command, kind) in refused {
            assert_eq!(world.refusal(command.clone()), kind, "{command:?}");
        }
        let dump = world.observer_dump(observer);
        assert_eq!((&*dump.producer_ids, dump.router), (&[audio][..], router));
        world.done(remove(audio));
        assert_eq!(world.refusal(remove(audio)), ErrorKind::NotFound);
        world.done(add(audio));
    }
    let kinds = observers.map(|observer| world.observer_dump(observer).kind);
    assert_eq!(kinds, [ObserverKind::AudioLevel, ObserverKind::ActiveSpeaker]);
    let unknown = ObserverId(audio.0);
    for command in [
        Command::PauseObserver { observer: unknown },
        Command::ResumeObserver { observer: unknown },
        Command::CloseObserver { observer: unknown },
        Command::AddObservedProducer { observer: unknown, producer: audio },
        Command::RemoveObservedProducer { observer: unknown, producer: audio },
        Command::CloseProducer { producer: ProducerId(observers[0].0) },
        Command::CloseTransport { transport: TransportId(observers[0].0) },
    ] {
        assert_eq!(world.refusal(command.clone()), ErrorKind::NotFound, "{command:?}");
    }
}

#[test]
fn options_outside_their_range_and_ids_in_use_are_refused() {
    let mut world = World::new();
    let router = world.router();
    let observer = ObserverId(world.new_id());
    let create = |router, observer, max_entries, threshold| {
        let options = AudioLevelObserverOptions { max_entries, threshold, interval_ms: 1_000 };
        Command::CreateAudioLevelObserver { router, observer, options }
    };
    for (entries, threshold) in [(0, -80), (65, -80), (u16::MAX, -80), (1, 1), (1, -128), (1, 127)] {
        let refused = world.refusal(create(router, observer, entries, threshold));
        assert_eq!(refused, ErrorKind::InvalidArgument, "{entries}, {threshold}");
    }
    let nowhere = RouterId(99);
    assert_eq!(world.refusal(create(nowhere, observer, 1, -80)), ErrorKind::NotFound);
    let create_speaker =
        |router, observer| Command::CreateActiveSpeakerObserver { router, observer, interval_ms: 1 };
    assert_eq!(world.refusal(create_speaker(nowhere, observer)), ErrorKind::NotFound);
    world.done(create(router, observer, 64, -127));
    assert_eq!(world.refusal(create(router, observer, 1, 0)), ErrorKind::Duplicate);
    assert_eq!(world.refusal(create_speaker(router, observer)), ErrorKind::Duplicate);
    let used = ObserverId(router.0);
    assert_eq!(world.refusal(create_speaker(router, used)), ErrorKind::Duplicate);
}

#[test]
fn who_talks_is_told_once_and_then_who_takes_over() {
    for seed in 0..20 {
        let mut world = World::from(Beginning::of(seed));
        let router = world.router();
        let origins: Vec<Origin> = (1..=5).map(|n| heard(&mut world, router, n, Says::Nothing)).collect();
        world.source_mut(origins[4].source).says(Says::Level(30));
        let observer = world.active_speaker_observer(router, 300);
        origins.iter().for_each(|origin| world.observe(observer, origin.producer));
        world.run_for(5_000);
        assert_eq!(speakers(&mut world), [], "nobody leads a silent room, nor does a hum");
        world.source_mut(origins[2].source).says(Says::Speech);
        world.run_for(10 * 300);
        assert_eq!(speakers(&mut world), [origins[2].producer], "seed {seed}");
        world.run_for(20_000);
        assert_eq!(speakers(&mut world), [], "told once");
        world.source_mut(origins[2].source).says(Says::Nothing);
        world.source_mut(origins[0].source).says(Says::Speech);
        world.run_for(15 * 300);
        assert_eq!(speakers(&mut world), [origins[0].producer], "seed {seed}");
    }
}

#[test]
fn a_speaker_who_is_closed_or_paused_leaves_the_lead_to_others() {
    let mut world = World::new();
    let router = world.router();
    let origins: Vec<Origin> = (1..=3).map(|n| heard(&mut world, router, n, Says::Nothing)).collect();
    let observer = world.active_speaker_observer(router, 300);
    origins.iter().for_each(|origin| world.observe(observer, origin.producer));
    world.run_for(1_000);
    origins.iter().for_each(|origin| world.source_mut(origin.source).says(Says::Speech));
    world.run_for(10_000);
    let told = speakers(&mut world);
    let first = *told.last().expect("somebody leads");
    world.done(Command::PauseProducer { producer: first });
    world.run_for(6_000);
    let told = speakers(&mut world);
    assert!(!told.is_empty() && !told.contains(&first), "{told:?}");
    let second = *told.last().expect("checked");
    world.done(Command::CloseProducer { producer: second });
    world.run_for(6_000);
    let third = origins.iter().map(|origin| origin.producer).find(|id| *id != first && *id != second);
    assert_eq!(speakers(&mut world).last().copied(), third);
}

#[test]
fn a_producer_is_observed_by_several_at_once() {
    let mut world = World::new();
    let router = world.router();
    let origin = heard(&mut world, router, 1, Says::Speech);
    let observers: Vec<ObserverId> = [250, 1_000, 5_000]
        .map(|interval_ms| {
            world.audio_level_observer(router, AudioLevelObserverOptions { interval_ms, ..TELL_TWO })
        })
        .to_vec();
    observers.iter().for_each(|observer| world.observe(*observer, origin.producer));
    world.run_for(10_020);
    let events = world.take_events();
    let told_by = |by: &ObserverId| {
        let of = |event: &&Event| matches!(event, Event::AudioLevels { observer, .. } if observer == by);
        events.iter().filter(of).count()
    };
    assert_eq!(observers.iter().map(told_by).collect::<Vec<_>>(), [40, 10, 2]);
}
