//! Finds the worker's program: the one that was named, or a release build made now, so that it is never a stale one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds the worker in release and returns where it is.
///
/// # Errors
/// cargo cannot be started or the worker does not build; the sentence says how to do without.
pub fn build() -> io::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
    let output = Command::new("cargo")
        .args(["build", "--release", "--package", PACKAGE, "--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output();
    let built = output.ok().filter(|output| output.status.success());
    let executable = built.and_then(|output| executable(&String::from_utf8_lossy(&output.stdout)));
    executable.ok_or_else(|| {
        let remedy =
            "build it with `cargo build --release -p tidegate-worker`, then name it with --worker-bin";
        io::Error::other(format!("the worker cannot be built here; {remedy}"))
    })
}

/// The program among the artifacts that cargo lists.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| message.get("executable")?.as_str().map(PathBuf::from);
    messages.filter_map(program).next_back()
}

const PACKAGE: &str = "tidegate-worker";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_artifact_that_can_be_executed() {
        let library = r#"{"reason":"compiler-artifact","executable":null}"#;
        let program = r#"{"reason":"compiler-artifact","executable":"target/release/tidegate-worker"}"#;
        let finished = r#"{"reason":"build-finished","success":true}"#;
        let messages = [library, program, finished].join("\n");
        assert_eq!(executable(&messages), Some(PathBuf::from("target/release/tidegate-worker")));
        assert_eq!(executable(library), None);
        assert_eq!(executable("not json"), None);
    }
}
