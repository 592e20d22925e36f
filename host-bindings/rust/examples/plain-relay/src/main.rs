//! `plain-relay`: one command starts a worker, says how to send to it and watch it, and shows live figures.
//!
//! ```text
//! cargo run --release -p plain-relay -- --demo     the sender and a decoding viewer are started too
//! cargo run --release -p plain-relay               you start them, from the lines that it prints
//! ```

mod app;

use std::process::ExitCode;

use clap::Parser as _;

use crate::app::options::Options;

fn main() -> ExitCode {
    // Started again by itself, this executable is the worker: then the call does not return.
    tidegate::embedded::run_if_worker();
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(app::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref()),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("plain-relay: {error}");
    ExitCode::FAILURE
}
