//! Processes of the tools that send, play and judge.
//!
//! Knows how to start one and what to say when it is missing. Does not know any tool's options.
//! Invariant: a process does not outlive its handle.

use std::process::{Output, Stdio};

use libtest_mimic::Failed;
use plain_relay::ffmpeg::command_line;
use tokio::process::{Child, Command};

/// Starts `program`.
pub(crate) fn start(
    program: &str,
    arguments: &[String],
    output: Stdio,
    diagnostics: Stdio,
) -> Result<Child, Failed> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(diagnostics).kill_on_drop(true);
    command.spawn().map_err(|error| cannot_start(program, &error).into())
}

/// Runs `program` to its end and gives back what it printed.
pub(crate) fn run(program: &str, arguments: &[String]) -> Result<String, String> {
    let Output { status, stdout, stderr } = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot_start(program, &error))?;
    if !status.success() {
        let line = command_line(program, arguments);
        return Err(format!("{line}: {status}: {}", String::from_utf8_lossy(&stderr)));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// The arguments in `line`, which has no quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

fn cannot_start(program: &str, error: &std::io::Error) -> String {
    format!("cannot start {program} ({error}); run tests/scripts/install-tools ffmpeg gstreamer")
}
