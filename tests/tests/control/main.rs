//! What requests answer: every class of refusal, what closes with what, and what an error leaves behind (nothing).
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod dumps;
mod shapes;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidegate_protocol::codec;
use tidegate_protocol::error::ErrorKind::{self, BindFailed, Duplicate, LimitReached, NotFound};
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenPort, PlainConnectOptions, PlainTransportOptions};
use tidegate_tests::world::World;
use tidegate_tests::world::host::{listen_on, plain_options};
use tidegate_tests::world::parameters::{MID, Stream, list};
use tidegate_tests::world::peer::{CONSUMED, Call};

const CAMERA: u32 = 0x1111;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Everything that a call's entities show of themselves.
fn state(world: &mut World, call: &Call) -> String {
    let worker = world.dump();
    let transports = [call.inbound.id, call.outbound.id].map(|id| {
        let mut dump = world.transport_dump(id);
        // Maps have no order.
        let mut consumers = dump.ssrc_consumers.into_vec();
        consumers.sort_by_key(|entry| entry.ssrc);
        dump.ssrc_consumers = list(consumers);
        let mut producers = dump.ssrc_table.into_vec();
        producers.sort_by_key(|entry| entry.ssrc);
        dump.ssrc_table = list(producers);
        dump
    });
    let router = world.request(Command::DumpRouter { router: call.router });
    let (producer, consumer) = (world.producer_dump(call.producer), world.consumer_dump(call.consumer));
    format!(
        "{worker:#?}{transports:#?}{router:#?}{producer:#?}{consumer:#?}{:?}",
        world.network.open_sockets()
    )
}

/// Requires that each command is refused as told and changes nothing.
fn assert_refused(world: &mut World, call: &Call, refused: Vec<(&str, Command, ErrorKind)>) {
    let before = state(world, call);
    for (what, command, kind) in refused {
        assert_eq!(world.refusal(command), kind, "{what}");
        let after = state(world, call);
        assert!(before == after, "{what} left something behind:\n{before}\n{after}");
    }
}

fn call(world: &mut World) -> Call {
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA + 1).with_mid("cam").with_extensions(&[(MID, 1)]);
    let received = source.consumed_as(CONSUMED).with_rtx(CONSUMED + 1);
    Call::with(world, &source, &received)
}

#[test]
fn what_does_not_exist_is_not_found() {
    let mut world = World::new();
    let call = call(&mut world);
    let (router, transport) = (RouterId(999), TransportId(999));
    let (producer, consumer) = (ProducerId(999), ConsumerId(999));
    let connect = PlainConnectOptions::default();
    let stream = Stream::vp8(7);
    let commands = vec![
        Command::CloseRouter { router },
        Command::DumpRouter { router },
        Command::CreatePlainTransport { router, transport, options: plain_options() },
        Command::ConnectPlainTransport { transport, options: connect },
        Command::CloseTransport { transport },
        Command::DumpTransport { transport },
        Command::GetTransportStats { transport },
        Command::Tap { transport, enabled: true },
        stream.produce(transport, ProducerId(1_000)),
        Command::CloseProducer { producer },
        Command::DumpProducer { producer },
        Command::GetProducerStats { producer },
        Command::PauseProducer { producer },
        Command::ResumeProducer { producer },
        stream.consume(transport, ConsumerId(1_000), call.producer, &call.sender.stream),
        stream.consume(call.outbound.id, ConsumerId(1_000), producer, &call.sender.stream),
        Command::CloseConsumer { consumer },
        Command::DumpConsumer { consumer },
        Command::GetConsumerStats { consumer },
        Command::PauseConsumer { consumer },
        Command::ResumeConsumer { consumer },
        Command::RequestKeyFrame { consumer },
        Command::SetConsumerPriority { consumer, priority: 1 },
        // An id of another kind is none of this kind.
        Command::CloseRouter { router: RouterId(call.inbound.id.0) },
        Command::CloseConsumer { consumer: ConsumerId(call.producer.0) },
    ];
    let refused = commands.into_iter().map(|command| ("unknown id", command, NotFound)).collect();
    assert_refused(&mut world, &call, refused);
}

/// The samples of the protocol's vectors, which have one of each request.
fn one_of_each() -> Vec<Command> {
    let file = include_str!("../../../protocol/vectors/golden.txt");
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let decoded = lines.filter_map(|line| {
        let hex = line.split_once(' ').expect("a name and bytes").1.as_bytes();
        let digits = hex.chunks(2).map(|pair| std::str::from_utf8(pair).expect("text"));
        let frame: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
        codec::decode::<ToWorker>(&frame[4..]).ok()
    });
    let commands = decoded.filter_map(|message| match message {
        ToWorker::Request { command, .. } => Some(command),
        ToWorker::HelloReply(_) => None,
    });
    commands.collect()
}

#[test]
fn every_request_reaches_its_verb() {
    let commands = one_of_each();
    let kinds: BTreeSet<String> = commands.iter().map(kind_of).collect();
    assert!(kinds.len() > 40, "{kinds:?}");
    for command in commands {
        let (mut world, kind) = (World::new(), kind_of(&command));
        if let Err(error) = world.request(command) {
            assert!(
                !error.message.contains("does not carry out"),
                "{kind} is in no list of control::dispatch"
            );
        }
    }
}

fn kind_of(command: &Command) -> String {
    let shown = format!("{command:?}");
    shown.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn a_producer_of_another_router_is_not_found() {
    let mut world = World::new();
    let call = call(&mut world);
    let elsewhere = world.router();
    let transport = world.comedia(elsewhere);
    let id = ConsumerId(world.new_id());
    let command = call.received.consume(transport.id, id, call.producer, &call.sender.stream);
    assert_refused(&mut world, &call, vec![("another router's producer", command, NotFound)]);
}

#[test]
fn names_in_use_are_duplicates() {
    let mut world = World::new();
    let call = call(&mut world);
    let rid = Stream { rid: Some("hi"), ..Stream::vp8(0x6666) };
    world.produce(call.inbound.id, &rid);
    let taken = call.producer.0;
    let streams = [
        ("SSRC", Stream::vp8(CAMERA)),
        ("SSRC as RTX", Stream::vp8(0x7777).with_rtx(CAMERA)),
        ("RTX SSRC", Stream::vp8(CAMERA + 1)),
        ("MID", Stream::vp8(0x7777).with_mid("cam")),
        ("RID", Stream { rid: Some("hi"), ..Stream::vp8(0x7777) }),
        ("SSRC twice", Stream::vp8(0x7777).with_rtx(0x7777)),
    ];
    let mut refused: Vec<_> = streams
        .into_iter()
        .map(|(what, stream)| (what, stream.produce(call.inbound.id, ProducerId(world.new_id())), Duplicate))
        .collect();
    let consumed = [
        ("consumer SSRC", call.received.consumed_as(CONSUMED)),
        ("consumer RTX SSRC", call.received.consumed_as(0xC777_0000).with_rtx(CONSUMED)),
        ("consumer SSRC that is RTX", call.received.consumed_as(CONSUMED + 1)),
    ];
    for (what, stream) in consumed {
        let id = ConsumerId(world.new_id());
        refused.push((
            what,
            stream.consume(call.outbound.id, id, call.producer, &call.sender.stream),
            Duplicate,
        ));
    }
    let fresh = Stream::vp8(0x7777);
    refused.extend([
        ("router id", Command::CreateRouter { router: RouterId(taken) }, Duplicate),
        (
            "transport id",
            Command::CreatePlainTransport {
                router: call.router,
                transport: TransportId(taken),
                options: plain_options(),
            },
            Duplicate,
        ),
        ("producer id", fresh.produce(call.inbound.id, ProducerId(call.router.0)), Duplicate),
        (
            "consumer id",
            call.received.consumed_as(3).consume(
                call.outbound.id,
                ConsumerId(taken),
                call.producer,
                &call.sender.stream,
            ),
            Duplicate,
        ),
    ]);
    assert_refused(&mut world, &call, refused);
}

#[test]
fn refused_sockets_are_given_back_both() {
    let mut world = World::new();
    let call = call(&mut world);
    world.network.occupy(SocketAddr::new(LOOPBACK, 20_000));
    let mut create = |ip: IpAddr, port, rtcp_port| {
        let options = PlainTransportOptions {
            listen_info: listen_on(ip, port),
            rtcp_mux: false,
            rtcp_listen_info: Some(listen_on(LOOPBACK, rtcp_port)),
            ..plain_options()
        };
        Command::CreatePlainTransport { router: call.router, transport: TransportId(world.new_id()), options }
    };
    let taken = ListenPort::Fixed(20_000);
    let refused = vec![
        ("RTP port taken", create(LOOPBACK, taken, ListenPort::Any), BindFailed),
        ("RTCP port taken", create(LOOPBACK, ListenPort::Fixed(20_001), taken), BindFailed),
        (
            "range taken",
            create(LOOPBACK, ListenPort::Range { min: 20_000, max: 20_000 }, ListenPort::Any),
            BindFailed,
        ),
        ("not our address", create(IpAddr::from([8, 8, 8, 8]), ListenPort::Any, ListenPort::Any), BindFailed),
    ];
    assert_refused(&mut world, &call, refused);
    let again = create_on(&mut world, call.router, 20_001);
    assert_eq!(again.port(), 20_001, "the port of the half made transport is free");
}

fn create_on(world: &mut World, router: RouterId, port: u16) -> SocketAddr {
    let listen_info = listen_on(LOOPBACK, ListenPort::Fixed(port));
    world.plain_transport(router, &PlainTransportOptions { listen_info, ..plain_options() }).rtp
}

#[test]
fn a_worker_has_65536_entities_at_most() {
    let mut world = World::new();
    let first = world.router();
    for _ in 1..16_384 {
        let routers: [_; 4] = std::array::from_fn(|_| RouterId(world.new_id()));
        world.requests(routers.map(|router| Command::CreateRouter { router }));
    }
    let answers = (0..4).map(|_| RouterId(world.new_id())).map(|router| Command::CreateRouter { router });
    let answers: Vec<_> = answers.collect();
    let refused: Vec<bool> = world
        .requests(answers)
        .into_iter()
        .map(|said| matches!(said, FromWorker::Response { result: Err(error), .. } if error.kind == LimitReached))
        .collect();
    assert_eq!(refused, [false, false, false, true]);
    world.done(Command::CloseRouter { router: first });
    world.router();
}

#[test]
fn everything_closes_with_its_parent() {
    type Close = fn(&Call) -> Command;
    // What is closed, what is left (routers, transports, producers, consumers), whether the consumer is told.
    let closings: [(Close, [u64; 4], bool); 5] = [
        (|call| Command::CloseConsumer { consumer: call.consumer }, [1, 2, 1, 0], false),
        (|call| Command::CloseProducer { producer: call.producer }, [1, 2, 0, 0], true),
        (|call| Command::CloseTransport { transport: call.inbound.id }, [1, 1, 0, 0], true),
        (|call| Command::CloseTransport { transport: call.outbound.id }, [1, 1, 1, 0], false),
        (|call| Command::CloseRouter { router: call.router }, [0, 0, 0, 0], false),
    ];
    for (close, left, told) in closings {
        let mut world = World::new();
        let mut call = call(&mut world);
        call.sender.streams_for(&mut world, 300);
        world.take_events();
        world.done(close(&call));
        let dump = world.dump();
        let counts = [dump.router_ids.len() as u64, dump.transports, dump.producers, dump.consumers];
        assert_eq!(counts, left, "{:?}", close(&call));
        assert_eq!(dump.sockets, dump.transports);
        let events = world.take_events();
        let expected = Event::ConsumerProducerClosed { consumer: call.consumer };
        if left[0] == 1 {
            assert_eq!(events.contains(&expected), told, "{:?}: {events:?}", close(&call));
        }
        assert_eq!(world.refusal(close(&call)), NotFound, "a second time there is nothing to close");
        // Everybody goes on as if nothing had happened; nothing comes of it, and nobody is hurt.
        call.sender.streams_for(&mut world, 300);
        call.receiver.nacks(&mut world, CONSUMED, &[1, 2, 3]);
        world.run_for(3_000);
        if left[3] == 0 {
            call.receiver.gets(&mut world);
            call.sender.streams_for(&mut world, 100);
            assert_eq!(call.receiver.gets(&mut world), []);
        }
    }
}

#[test]
fn what_closes_in_mid_turn_takes_its_packets_along() {
    type Close = fn(&Call) -> Command;
    let closings: [Close; 4] = [
        |call| Command::CloseProducer { producer: call.producer },
        |call| Command::CloseConsumer { consumer: call.consumer },
        |call| Command::PauseProducer { producer: call.producer },
        |call| Command::CloseRouter { router: call.router },
    ];
    for close in closings {
        let mut world = World::new();
        let mut call = call(&mut world);
        for packet in call.sender.frame(true, &[500, 500]) {
            world.network.inject(call.sender.address, call.sender.to, packet.write());
        }
        world.receive_then(close(&call));
        assert_eq!(call.receiver.gets(&mut world), [], "{:?}", close(&call));
        assert_eq!(world.packets_in_use(), 0);
    }
}

#[test]
fn an_event_never_overtakes_the_response_that_made_its_entity() {
    let mut world = World::new();
    let mut call = call(&mut world);
    call.sender.streams_for(&mut world, 300);
    world.take_events();
    let (consumer, producer) = (ConsumerId(world.new_id()), call.producer);
    let received = call.received.consumed_as(CONSUMED + 9);
    let said = world.requests([
        received.consume(call.outbound.id, consumer, producer, &call.sender.stream),
        Command::PauseProducer { producer },
        Command::ResumeProducer { producer },
        Command::CloseProducer { producer },
    ]);
    let created = said.iter().position(|message| {
        matches!(message, FromWorker::Response { result: Ok(Reply::Consumed { .. }), .. })
    });
    let about = |event: &Event| event.entity() == Some(consumer.into());
    let first = said.iter().position(|message| matches!(message, FromWorker::Event(event) if about(event)));
    assert!(created.unwrap() < first.unwrap());
    let told: Vec<_> = said
        .into_iter()
        .filter_map(|message| match message {
            FromWorker::Event(event) if about(&event) => Some(event),
            _ => None,
        })
        .collect();
    let expected = [
        Event::ConsumerProducerPaused { consumer },
        Event::ConsumerProducerResumed { consumer },
        Event::ConsumerProducerClosed { consumer },
    ];
    assert_eq!(told, expected);
}

#[test]
fn pause_and_resume_can_be_repeated() {
    let mut world = World::new();
    let call = call(&mut world);
    let Call { consumer, producer, .. } = call;
    for _ in 0..2 {
        world.done(Command::PauseConsumer { consumer });
        world.done(Command::PauseProducer { producer });
    }
    let dump = world.consumer_dump(consumer);
    assert!(dump.paused && dump.producer_paused && world.producer_dump(producer).paused);
    for _ in 0..2 {
        world.done(Command::ResumeProducer { producer });
        world.done(Command::ResumeConsumer { consumer });
    }
    let events = world.take_events();
    let expected = [Event::ConsumerProducerPaused { consumer }, Event::ConsumerProducerResumed { consumer }];
    assert_eq!(events, expected, "once each");
    world.done(Command::SetConsumerPriority { consumer, priority: 200 });
    assert_eq!(world.consumer_dump(consumer).priority, 200);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = || {
        let mut world = World::new();
        let mut call = call(&mut world);
        world.network.lose(50, 7);
        call.sender.streams_for(&mut world, 2_000);
        let mut bytes = world.network.take_sent_to(call.receiver.address);
        bytes.extend(world.network.take_sent_to(call.sender.address));
        bytes
    };
    let first = run();
    assert!(first.len() > 50);
    assert!(first == run());
}
