//! From a command line to an exit code: what `main` does, and what a host's own executable does when it *is* the worker.
//!
//! Knows settings and exit codes. Does not know what runs in between.
//! Invariant: whatever goes wrong before the pipe speaks is said on stderr, in a line each.

use std::ffi::OsString;
use std::io::Write;

use tidegate_protocol::exit;

use crate::event_loop::EventLoop;
use crate::settings::{self, Invocation, Settings};

/// Runs a worker with the arguments that follow the program's name; answers the exit code ([`exit`]).
///
/// Takes over the control descriptors, signals and the allocator's thresholds: for a process that does nothing else,
/// in its main thread, before anything else was opened.
pub fn main_with_args(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let code = match settings::parse(arguments) {
        Ok(Invocation::Run(settings)) => run(&settings),
        Ok(Invocation::Print(text)) => {
            // A reader that went away is no reason to fail.
            let _ = std::io::stdout().write_all(text.as_bytes());
            exit::CLOSED
        }
        Err(error) => complain(&error, exit::BAD_SETTINGS),
    };
    i32::from(code)
}

fn run(settings: &Settings) -> u8 {
    settings.warnings.iter().for_each(say);
    match EventLoop::new(settings) {
        Ok(event_loop) => event_loop.run(),
        Err(error) => complain(&error, exit::BAD_DESCRIPTOR),
    }
}

fn complain(error: &dyn std::error::Error, code: u8) -> u8 {
    say(error);
    code
}

fn say(words: impl std::fmt::Display) {
    // Nobody who does not read is worth an end.
    let _ = writeln!(std::io::stderr(), "tidegate-worker: {words}");
}
