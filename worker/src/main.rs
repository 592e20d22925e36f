//! The worker as a program of its own; see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = tidegate_worker::main_with_args(std::env::args_os().skip(1));
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
