//! How lives end, and lives that end at their start.
//!
//! Knows exit codes and when each is due. Called by lives.

use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::frame::FRAME_BYTES_MAX;
use tidegate_protocol::ids::RouterId;
use tidegate_protocol::message::{FromWorker, LogLevel};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::ListenPort;
use tidegate_protocol::{PROTOCOL_VERSION, exit};

use super::Dice;
use super::child::{Ended, WorkerProgram};
use super::commands::{Expect, create_transport, listen_on, plain_options};
use super::life::{Broken, Life, POLL_MS, Patience};
use super::report::Report;
use crate::clock;

/// Ends a life in one of the ways there are, and checks how the worker goes.
pub fn any(life: &mut Life<'_>) -> Result<(), Broken> {
    match life.dice.below(9) {
        0 => {
            life.request(Command::CloseWorker, Expect::Good);
            life.settle()?;
            end(life, exit::CLOSED, u64::MAX)
        }
        1 => {
            life.settle()?;
            close_pipe(life)
        }
        2 => {
            life.settle()?;
            let half = half_a_frame(&mut life.dice);
            life.worker.host.queue_bytes(&half);
            write_out(life)?;
            close_pipe(life)
        }
        3 => {
            life.settle()?;
            life.flood(5_000);
            close_pipe(life)
        }
        4 => {
            // Answers may be cut off: the host is gone in the middle of it.
            life.cut_answers_off();
            life.worker.host.reads = false;
            close_pipe(life)
        }
        5 => by_signal(life, Signal::SIGTERM),
        6 => by_signal(life, Signal::SIGINT),
        7 => {
            life.settle()?;
            life.worker.host.queue_greeting(PROTOCOL_VERSION + 1);
            write_out(life)?;
            end(life, exit::BROKEN_FRAMING, u64::MAX)
        }
        _ => {
            life.settle()?;
            let length = too_long(&mut life.dice);
            life.worker.host.queue_bytes(&length.to_le_bytes());
            let more = life.dice.below(100);
            let bytes = life.dice.bytes(more);
            life.worker.host.queue_bytes(&bytes);
            write_out(life)?;
            end(life, exit::BROKEN_FRAMING, u64::MAX)
        }
    }
}

/// Closes the pipe; the worker has a second to go.
pub fn close_pipe(life: &mut Life<'_>) -> Result<(), Broken> {
    life.worker.host.close_input();
    end(life, exit::CLOSED, END_MS_MAX)
}

/// Workers whose command line or descriptors are wrong say so and go.
pub fn refused_starts(program: &WorkerProgram, report: &mut Report) -> Result<(), Broken> {
    let bad_settings = [
        "--log-level=loud",
        "--rtc-min-port=0",
        "--packet-memory-limit=1",
        "--batch-interval-us=1000000",
        "word",
    ];
    for setting in bad_settings {
        starts_with(program, setting, exit::BAD_SETTINGS, report)?;
    }
    for setting in ["--control-fds=90,91", "--control-fds=0,1", "--control-socket=nowhere.sock"] {
        starts_with(program, setting, exit::BAD_DESCRIPTOR, report)?;
    }
    Ok(())
}

/// A worker with this setting must end at its start, by `code` and with a sentence on stderr.
pub fn starts_with(
    program: &WorkerProgram,
    setting: &str,
    code: u8,
    report: &mut Report,
) -> Result<(), Broken> {
    let (ended, stderr) = program.run_alone(&[setting]).map_err(|error| error.to_string())?;
    *report.ends.entry(ended).or_default() += 1;
    if ended != Ended::Code(code.into()) {
        return Err(format!("{setting} ended the worker by {ended}, not by code {code}; stderr: {stderr:?}"));
    }
    if stderr.trim().is_empty() {
        return Err(format!("{setting} ended the worker without a sentence on stderr"));
    }
    Ok(())
}

/// A worker that may open no more files refuses transports, with a limit as the reason, and goes on.
pub fn without_files(program: &WorkerProgram, dice: Dice, report: &mut Report) -> Result<(), Broken> {
    let worker = program.spawn_limited(24).map_err(|error| error.to_string())?;
    let mut life = Life::new(worker, dice, report).map_err(|error| error.to_string())?;
    life.greeting()?;
    life.worker.host.greet();
    life.request(Command::CreateRouter { router: RouterId(1) }, Expect::Good);
    for id in 2..66 {
        let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
        life.request(create_transport(1, id, plain_options(listen, true, false)), Expect::Any);
    }
    life.settle()?;
    life.request(Command::CloseRouter { router: RouterId(1) }, Expect::Good);
    life.settle()?;
    if life.report.errors_of(ErrorKind::LimitReached) == 0 {
        return Err("64 transports with 24 open files, and no LimitReached".to_owned());
    }
    close_pipe(&mut life)
}

/// A signal that asks to close is obeyed.
pub fn by_signal(life: &mut Life<'_>, signal: Signal) -> Result<(), Broken> {
    life.cut_answers_off();
    life.worker.signal(signal).map_err(|error| error.to_string())?;
    end(life, exit::CLOSED, u64::MAX)
}

/// Waits until all that is queued was taken, or the worker has had enough.
pub fn write_out(life: &mut Life<'_>) -> Result<(), Broken> {
    let mut patience = Patience::new();
    while life.worker.host.unwritten() > 0 && !life.worker.host.has_ended() {
        let moved = life.move_bytes(POLL_MS)?;
        if !patience.lasts(moved) {
            return Err("a hang: the worker does not read its pipe".to_owned());
        }
    }
    Ok(())
}

/// Waits for the worker's end, which must come within `limit_ms` and by `code`.
pub fn end(life: &mut Life<'_>, code: u8, limit_ms: u64) -> Result<(), Broken> {
    let begin_ns = clock::monotonic_ns();
    let ended = wait_for_end(life, code)?;
    let took_ms = (clock::monotonic_ns() - begin_ns) / 1_000_000;
    while life.worker.host.reads && !life.worker.host.has_ended() {
        life.move_bytes(POLL_MS)?;
    }
    *life.report.ends.entry(ended).or_default() += 1;
    if ended != Ended::Code(code.into()) {
        return Err(format!("the worker ended by {ended} where code {code} was due"));
    }
    let last = &life.last_message;
    if code == exit::BROKEN_FRAMING && !matches!(last, Some(FromWorker::Log { level: LogLevel::Error, .. })) {
        return Err(format!("code 43 without a log line of level error as the last message, but {last:?}"));
    }
    if limit_ms == END_MS_MAX {
        life.report.end_ms_max = life.report.end_ms_max.max(took_ms);
    }
    if took_ms > limit_ms {
        return Err(format!("the worker took {took_ms} ms to end after its pipe was closed"));
    }
    Ok(())
}

fn wait_for_end(life: &mut Life<'_>, code: u8) -> Result<Ended, Broken> {
    let mut patience = Patience::new();
    loop {
        if let Some(ended) = life.worker.try_wait().map_err(|error| error.to_string())? {
            return Ok(ended);
        }
        let moved = if life.worker.host.reads && !life.worker.host.has_ended() {
            life.move_bytes(1)?
        } else {
            clock::sleep_for(1_000_000);
            false
        };
        if !patience.lasts(moved) {
            return Err(format!("a hang: the worker should have ended by code {code}"));
        }
    }
}

fn half_a_frame(dice: &mut Dice) -> Vec<u8> {
    let mut half = 1_000u32.to_le_bytes().to_vec();
    half.truncate(1 + dice.below(4));
    let more = if half.len() == 4 { dice.below(900) } else { 0 };
    half.extend(dice.bytes(more));
    half
}

fn too_long(dice: &mut Dice) -> u32 {
    let least = u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX) + 1;
    *dice.pick(&[least, u32::MAX, 1 << 31, least + 1]).unwrap_or(&least)
}

/// From the end of the pipe to the end of the process.
pub const END_MS_MAX: u64 = 1_000;
