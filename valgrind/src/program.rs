//! The worker that is measured: the standalone release build, alone or under a tool of valgrind.
//!
//! Knows cargo, valgrind and where files go. Called by the `memory` program.
//! Invariant: what is measured was built from the sources as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidegate_tests::fuzz::child::WorkerProgram;

use crate::Failure;

/// Builds the standalone worker as users get it and says where it is.
///
/// # Errors
/// It does not build, or is not where it should be.
pub fn build_worker() -> Result<PathBuf, Failure> {
    eprintln!("building the worker");
    build(Command::new("cargo").args(RELEASE))?;
    found(&folder()?.join("../release/tidegate-worker"))
}

/// Builds a worker that forgets one release of a packet buffer in 10,000, in a folder of its own: nobody ships it by accident.
///
/// # Errors
/// As [`build_worker`].
pub fn build_leaky_worker() -> Result<PathBuf, Failure> {
    eprintln!("building a worker with a planted leak");
    let target = folder()?.join("../planted-leak");
    let mut cargo = Command::new("cargo");
    cargo.args(RELEASE).arg("--target-dir").arg(&target).env("RUSTFLAGS", "--cfg planted_leak");
    build(&mut cargo)?;
    found(&target.join("release/tidegate-worker"))
}

fn build(cargo: &mut Command) -> Result<(), Failure> {
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("building the worker failed ({status})")),
        Err(error) => Err(format!("cargo cannot be run ({error}); name a worker with --worker")),
    }
}

fn found(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| format!("{} ({error}); name a worker with --worker", path.display()))
}

/// Where this program is.
fn folder() -> Result<PathBuf, Failure> {
    let executable = std::env::current_exe().map_err(|error| error.to_string())?;
    executable.parent().map(Path::to_owned).ok_or_else(|| "this program is nowhere".to_owned())
}

/// `worker` under `tool` of valgrind, with `arguments` of the tool.
///
/// # Errors
/// There is no valgrind.
pub fn under_valgrind(tool: &str, arguments: Vec<OsString>, worker: &Path) -> Result<WorkerProgram, Failure> {
    let found =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Err("there is no valgrind; run tests/scripts/install-tools valgrind".to_owned());
    }
    let mut all: Vec<OsString> = vec!["-q".into(), format!("--tool={tool}").into()];
    all.extend(arguments);
    Ok(WorkerProgram::under(PathBuf::from("valgrind"), all, worker.to_owned()))
}

/// A file for what `tool` writes in `scenario`, empty from the start of this run.
///
/// # Errors
/// The folder beside this program cannot be written.
pub fn output_file(tool: &str, scenario: &str) -> Result<PathBuf, Failure> {
    let folder = folder()?.join("valgrind");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = folder.join(format!("{tool}.{scenario}.out"));
    // What a run before left must not be taken for this one's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()))
        }
        _ => Ok(path),
    }
}

const RELEASE: [&str; 5] = ["build", "--release", "-q", "-p", "tidegate-worker"];
