//! The Node host's wire code, written from the types of `tidegate-protocol`.
//!
//! ```text
//! cargo run -p tidegate-codegen                 writes host-bindings/node/src/wire/generated.ts
//! cargo run -p tidegate-codegen -- --check      fails when that file is stale
//! cargo run -p tidegate-codegen -- --exercise   the Rust codec as a partner for the Node host's tests
//! ```
//!
//! Reflection ([`registry`]) tells the types, [`typescript`] writes them, [`exercise`] lets both codecs be compared on
//! messages that nobody thought of.

mod exercise;
mod random;
mod registry;
mod typescript;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    match run(argument.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-codegen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(argument: Option<&str>) -> Result<(), String> {
    let registry = registry::registry().map_err(|error| format!("the wire's types: {error:?}"))?;
    match argument {
        None => {
            let path = generated();
            std::fs::write(&path, typescript::module(&registry)?)
                .map_err(|error| format!("{}: {error}", path.display()))
        }
        Some("--check") => check(&typescript::module(&registry)?),
        Some("--exercise") => exercise::run(&registry).map_err(|error| error.to_string()),
        Some(other) => Err(format!("{other} is none of --check and --exercise")),
    }
}

fn check(expected: &str) -> Result<(), String> {
    let path = generated();
    let found = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if found == expected {
        return Ok(());
    }
    Err(format!("{} is stale; run `cargo run -p tidegate-codegen` and commit it", path.display()))
}

fn generated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host-bindings/node/src/wire/generated.ts")
}
