//! `bench`: what forwarding costs beside the yardstick (see `tidegate_tests::gauge`). `cargo gauge fanout` calls it.

mod alone;
mod arguments;
mod compare;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use tidegate_tests::ideal;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Fanout(fanout) => compare::run(&fanout.scenarios(), &fanout.common),
        Command::Room5(room) => compare::run(&room.scenarios(), &room.common),
        Command::Echo4(echo) => compare::run(&echo.scenarios(), &echo.common),
        Command::Flood(arguments) => alone::flood(&arguments),
        Command::Idle(arguments) => alone::idle(&arguments),
        Command::Srtp(arguments) => alone::srtp(&arguments),
        Command::IdealForwarder => ideal::serve(io::stdin().lock(), io::stdout().lock()).map(|()| true),
        Command::IdealSelfCheck => self_check().map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(VOID),
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads destinations, sends to them, and prints what it cost.
fn self_check() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let check = ideal::check(&serde_json::from_str::<Vec<_>>(&line)?)?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&check)?)
}

/// The exit code when figures do not count: a void row, or a yardstick that is not valid.
const VOID: u8 = 2;
