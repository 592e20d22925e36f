//! A worker process stays small and gives memory back: what a peer sends or a host opens and closes leaves no trace.
//!
//! Real workers, anonymous memory by smaps_rollup. The figures that we promise are `cargo memory`'s, of the release
//! build; these facts hold for any build.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::stats::DroppedPackets;
use tidegate_protocol::transport::ListenPort;
use tidegate_tests::fuzz::Dice;
use tidegate_tests::fuzz::child::{Wiring, WorkerProgram};
use tidegate_tests::fuzz::commands::{Expect, create_transport, listen_on, plain_options, produce};
use tidegate_tests::fuzz::life::{Broken, Life};
use tidegate_tests::fuzz::report::Report;
use tidegate_tests::process;

#[test]
fn opening_and_closing_again_and_again_does_not_grow_the_worker() {
    with_worker(|life| {
        let mut sizes_kb = Vec::new();
        for cycle in 0..6 {
            open_and_close(life, 1 + cycle * 10_000)?;
            sizes_kb.push(anonymous_kb(life));
        }
        let (first, last) = (sizes_kb[1], sizes_kb[5]);
        assert!(last <= first + GROWTH_KB_MAX, "{sizes_kb:?} kB after each cycle");
        Ok(())
    });
}

#[test]
fn unknown_streams_leave_nothing_behind() {
    with_worker(|life| {
        let address = open_comedia(life)?;
        let before_kb = {
            flood_with_unknown_streams(life, address, 0, 2_000)?;
            anonymous_kb(life)
        };
        flood_with_unknown_streams(life, address, 1 << 20, 20_000)?;
        let after_kb = anonymous_kb(life);
        assert!(after_kb <= before_kb + GROWTH_KB_MAX, "{before_kb} kB grew to {after_kb}");
        Ok(())
    });
}

/// 200 transports with a producer each, in one router.
fn open_and_close(life: &mut Life<'_>, first_id: u64) -> Result<(), Broken> {
    let router = RouterId(first_id);
    life.request(Command::CreateRouter { router }, Expect::Good);
    for id in first_id + 1..first_id + 201 {
        let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
        life.request(create_transport(router.0, id, plain_options(listen, true, true)), Expect::Good);
        life.request(produce(id, id + 1_000, true), Expect::Good);
    }
    life.settle()?;
    life.request(Command::CloseRouter { router }, Expect::Good);
    life.settle()
}

fn open_comedia(life: &mut Life<'_>) -> Result<SocketAddr, Broken> {
    life.request(Command::CreateRouter { router: RouterId(1) }, Expect::Good);
    let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
    life.request(create_transport(1, 2, plain_options(listen, true, true)), Expect::Good);
    life.request(produce(2, 3, true), Expect::Good);
    life.settle()?;
    life.request(Command::DumpTransport { transport: TransportId(2) }, Expect::Good);
    life.settle()?;
    match life.last_reply.take() {
        Some(Reply::TransportDump(dump)) => {
            let port = dump.plain.map_or(0, |plain| plain.tuple.local_port);
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        }
        other => Err(format!("a dump was answered {other:?}")),
    }
}

/// Sends RTP under ever new SSRCs until the worker has thrown `count` more of them away.
fn flood_with_unknown_streams(
    life: &mut Life<'_>,
    to: SocketAddr,
    first_ssrc: u32,
    count: u64,
) -> Result<(), Broken> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let enough = dropped(life)?.unknown_ssrc + count;
    let mut ssrc = first_ssrc;
    while dropped(life)?.unknown_ssrc < enough {
        for _ in 0..100 {
            ssrc += 1;
            let mut packet = [0x5a; 200];
            packet[..8].copy_from_slice(&[0x80, 96, 0, 1, 0, 0, 0, 1]);
            packet[8..12].copy_from_slice(&(0x7000_0000 + ssrc).to_be_bytes());
            socket.send_to(&packet, to).expect("loopback takes datagrams");
        }
    }
    Ok(())
}

fn dropped(life: &mut Life<'_>) -> Result<DroppedPackets, Broken> {
    life.request(Command::GetTransportStats { transport: TransportId(2) }, Expect::Good);
    life.settle()?;
    match life.last_reply.take() {
        Some(Reply::TransportStats(stats)) => Ok(stats.dropped),
        other => Err(format!("statistics were answered {other:?}")),
    }
}

fn anonymous_kb(life: &Life<'_>) -> u64 {
    process::memory(life.worker.pid()).expect("a worker that lives").anonymous_kb
}

fn with_worker(story: impl Fn(&mut Life<'_>) -> Result<(), Broken>) {
    let program = WorkerProgram::embedded(PathBuf::from(env!("CARGO_BIN_EXE_pipe-fuzz")));
    let worker = program.spawn(Wiring::Pipes, &[]).expect("a worker");
    let mut report = Report::default();
    let mut life = Life::new(worker, Dice::new(1, 2), &mut report).expect("sockets");
    let told = life.greeting().and_then(|()| {
        life.worker.host.greet();
        story(&mut life)
    });
    told.unwrap_or_else(|broken| panic!("{broken}"));
}

/// Pages that the allocator happens to touch anew; far below what 200 transports or 20,000 streams would take.
const GROWTH_KB_MAX: u64 = 128;
