//! The guide in `host-bindings/rust/README.md`, held to what it says: its blocks are the files of this example, and the
//! example does in Chromium what the guide promises.
//!
//! | module | knows |
//! | --- | --- |
//! | `text` | the guide's blocks: files and commands |
//! | `program` | how a program that the guide builds is started and ended |
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod program;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_tests::visitor;

use crate::program::Program;
use crate::text::{Step, steps};

#[test]
fn the_guide_quotes_the_files_of_this_example_whole() {
    let steps = steps(&guide());
    let versions = |path: &str| text::versions(&steps, path);
    assert_eq!(versions("src/main.rs"), [read("steps/first_worker.rs"), read("src/main.rs")]);
    for path in FILES.into_iter().filter(|path| !["Cargo.toml", "src/main.rs"].contains(path)) {
        assert_eq!(versions(path), [read(path)], "{path}");
    }
    // The rest of the manifest is what `cargo new` writes, or this repository's.
    let manifest = read("Cargo.toml").replace("\"../..\"", "\"../tidegate/host-bindings/rust\"");
    let dependencies = manifest.split("\n\n").find(|part| part.starts_with("[dependencies]")).unwrap();
    assert_eq!(versions("Cargo.toml"), [format!("{dependencies}\n")]);
}

#[test]
fn every_block_of_the_guide_is_a_file_or_a_command() {
    let guide = guide();
    // Whatever is neither panics; a file that no test compares would go unnoticed.
    let files = steps(&guide).into_iter().filter_map(|step| match step {
        Step::File { path, .. } => Some(path),
        Step::Command(_) => None,
    });
    let files: BTreeSet<String> = files.collect();
    assert!(files.iter().map(String::as_str).eq(FILES), "{files:?}");
}

#[test]
fn first_worker_says_its_process_and_ends_with_its_program() {
    let mut program = Program::start(Path::new(env!("CARGO_BIN_EXE_first-worker")), &[]);
    let line = program.line();
    assert_eq!(line, format!("the worker is process {}", program.worker()));
    program.interrupt();
}

#[test]
fn first_worker_tells_how_its_worker_died() {
    let mut program = Program::start(Path::new(env!("CARGO_BIN_EXE_first-worker")), &[]);
    program.line();
    program.kill_worker();
    assert_eq!(program.line(), "the worker was ended by signal 9");
    program.ends();
}

#[test]
fn two_browsers_see_and_hear_each_other_and_again_after_the_worker_died() {
    visited(Path::new(env!("CARGO_BIN_EXE_first-room")), "two-browsers.png");
}

/// As a reader does it: each command and each file of the guide in its order, beginning with an empty folder.
#[test]
#[ignore = "builds everything anew"]
fn whoever_follows_the_guide_gets_there() {
    let folder = temporary("followed");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(repository(), folder.join("tidegate")).unwrap();
    let mut place = folder;
    let mut runs = 0;
    for step in steps(&guide()) {
        match step {
            Step::File { path, text, appends } => {
                let path = place.join(path);
                let before = fs::read_to_string(&path).unwrap_or_default();
                let now = match before.strip_suffix("[dependencies]\n") {
                    // What `cargo new` wrote, above the dependencies.
                    Some(package) => package.to_owned() + &text,
                    None if appends => before + &text,
                    None => text,
                };
                fs::write(path, now).unwrap();
            }
            Step::Command(command) if command.starts_with("cargo run") => {
                runs += 1;
                let built = build(&place, &command);
                if runs == 1 {
                    let mut program = Program::start(&built, &[]);
                    assert!(program.line().starts_with("the worker is process "));
                    program.interrupt();
                } else {
                    visited(&built, "followed.png");
                }
            }
            Step::Command(command) => {
                run(Command::new("sh").args(["-ec", &command]).current_dir(&place));
                if let Some((_, entered)) = command.split_once("cd ") {
                    place.push(entered.trim());
                }
            }
        }
    }
    assert_eq!(runs, 2);
    // After a failure it stays, to be looked at.
    fs::remove_dir_all(temporary("")).unwrap();
}

/// Builds what `cargo run` would run, with the versions that this repository is tested with; the program.
fn build(place: &Path, command: &str) -> PathBuf {
    if !place.join("Cargo.lock").exists() {
        fs::copy(repository().join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    }
    assert_eq!(command.trim(), "cargo run --release");
    let target = temporary("followed-target");
    let mut cargo = Command::new(env!("CARGO"));
    run(cargo.args(["build", "--release", "--target-dir"]).arg(&target).current_dir(place));
    target.join("release/first-room")
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Lets two people visit the room of `program`.
fn visited(program: &Path, screenshot: &str) {
    let mut program = Program::start(program, &["127.0.0.1:0"]);
    let line = program.line();
    let address = line.split_whitespace().nth(1).unwrap();
    let scene = json!({
        "executable": visitor::chromium().unwrap(),
        "address": address,
        "worker": program.worker(),
        "screenshot": repository().join("target/guide").join(screenshot),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen: Value = runtime.block_on(visitor::visit("guide/run.js", &scene, PATIENCE)).unwrap();
    println!("{seen}");
    assert!(seen.get("error").is_none(), "{seen:#}");
    program.interrupt();
}

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../..").canonicalize().unwrap()
}

/// Not below the repository, whose workspace a new package would have to join.
fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tidegate-guide-{}", std::process::id())).join(name)
}

/// Of which the guide is made.
const FILES: [&str; 7] = [
    "Cargo.toml",
    "page/index.html",
    "page/room.js",
    "src/main.rs",
    "src/room.rs",
    "src/visitor.rs",
    "src/web.rs",
];
/// Several times what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
