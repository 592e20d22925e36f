//! Builds the page's packages and starts a browser on it.
//!
//! Knows `tests/browsers` and its command line. Does not judge.
//! Invariant: no browser outlives its run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::Failed;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::case::{Browser, Case, Counted};
use crate::echo::Echo;

/// Lets a browser visit `echo`; what it counted.
pub(crate) async fn run(case: &Case, echo: &Echo) -> Result<Counted, Failed> {
    packages_are_there()?;
    let program = program_of(case.browser)?;
    let described = case.described(&program, &echo.signalling, echo.through_udp_port);
    let mut runner = Command::new("node")
        .arg(folder().join("run.js"))
        .arg(described.to_string())
        // It ends its browser when this pipe ends, whatever becomes of us.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| missing("node", &error.to_string()))?;
    let (mut output, mut console) = (String::new(), String::new());
    let (Some(mut out), Some(mut err)) = (runner.stdout.take(), runner.stderr.take()) else {
        return Err("the runner has no pipes".into());
    };
    let input = runner.stdin.take();
    let is_late = {
        let read = async {
            let _ = tokio::join!(out.read_to_string(&mut output), err.read_to_string(&mut console));
        };
        let mut read = std::pin::pin!(read);
        let is_late = tokio::time::timeout(PATIENCE, &mut read).await.is_err();
        drop(input);
        if is_late {
            let _ = tokio::time::timeout(TIDYING_MAX, read).await;
        }
        is_late
    };
    let result = output.lines().last().unwrap_or_default();
    serde_json::from_str(result).map_err(|error| {
        let why = if is_late { format!("not done after {PATIENCE:?}. ") } else { String::new() };
        format!("{why}{error}: {result}\n--- the page's console\n{console}").into()
    })
}

/// Installs what `package-lock.json` names, unless it was installed before.
fn packages_are_there() -> Result<(), Failed> {
    static OUTCOME: OnceLock<Result<(), String>> = OnceLock::new();
    Ok(OUTCOME.get_or_init(install).clone()?)
}

fn install() -> Result<(), String> {
    let lock = std::fs::read(folder().join("package-lock.json")).map_err(|error| error.to_string())?;
    // A copy of the lock file that was installed from.
    let installed = folder().join("node_modules/.installed-from");
    if std::fs::read(&installed).is_ok_and(|from| from == lock) {
        return Ok(());
    }
    let output = std::process::Command::new("npm")
        .args(["ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing("npm", &error.to_string()))?;
    if !output.status.success() {
        return Err(format!("npm ci: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    std::fs::write(installed, lock).map_err(|error| error.to_string())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browsers")
}

/// Where the browser is.
fn program_of(browser: Browser) -> Result<String, Failed> {
    let names: &[&str] = match browser {
        Browser::Chromium => &["chromium", "chromium-browser"],
        Browser::Firefox => &["firefox-esr", "firefox"],
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file());
    let found = found.ok_or_else(|| missing(names[0], "it is not on the PATH"))?;
    Ok(found.to_string_lossy().into_owned())
}

fn missing(program: &str, error: &str) -> String {
    format!("cannot start {program} ({error}); run tests/scripts/install-tools chromium firefox node")
}

/// Several times what the longest visit takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// For the browser to end.
const TIDYING_MAX: Duration = Duration::from_secs(20);
