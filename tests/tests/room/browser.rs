//! Starts what opens the browser, and reads what its visitors saw.
//!
//! Knows `tests/browsers/room` and its command line. Does not judge. Invariant: no browser outlives its visit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

/// What two visitors, Ann and Ben, saw.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    /// The browser's.
    pub(crate) version: String,
    /// What the front door called a new room.
    pub(crate) proposed_name: String,
    /// The room's name on the page, and how many elements it made.
    pub(crate) title: String,
    pub(crate) injected: u32,
    /// The colour of Ben's test pattern, and of what was seen, in degrees.
    pub(crate) hues: BTreeMap<String, f64>,
    /// How loud Ann heard Ben and Ben heard Ann, 0 to 1.
    pub(crate) heard: Vec<f64>,
    /// The tables below Ann's tiles.
    pub(crate) rows: Vec<Vec<Vec<String>>>,
    /// The worker's figures.
    pub(crate) figures: Vec<Figure>,
    /// The worker was killed.
    pub(crate) death: Death,
    /// By how many pixels the page was wider than the phone.
    pub(crate) overflow: i64,
    /// What the page said of a broken connection, and how long it took to see moving pictures again.
    pub(crate) lost: String,
    pub(crate) reconnected_ms: f64,
    /// What it said when no word came any more over a connection that did not break.
    pub(crate) silent: String,
    /// What the browser complained of.
    pub(crate) complaints: Vec<String>,
    pub(crate) without_devices: WithoutDevices,
    /// What a visitor was told who did not let the page have the camera.
    pub(crate) refused: String,
}

/// What visitors without a camera saw.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WithoutDevices {
    /// The one who asked for it was told this.
    pub(crate) no_device: String,
    /// The one whose page may not ask was told this, and had so many ways to join.
    pub(crate) insecure: String,
    pub(crate) choices: u32,
    pub(crate) complaints: Vec<String>,
}

/// One chart.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) value: String,
    pub(crate) points: u32,
}

/// What happened after the worker was killed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Death {
    pub(crate) told: String,
    /// Until both saw both pictures move.
    pub(crate) moving_again_ms: f64,
    pub(crate) pid: u32,
    pub(crate) pid_after: u32,
}

/// Lets both visit the server at `port`.
pub(crate) async fn visit(port: u16) -> Result<Seen, Failed> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    install(&tests.join("browsers"))?;
    let screenshots = tests.join("../target/room");
    let scene = json!({ "executable": chromium()?, "port": port, "screenshots": screenshots });
    let child = Command::new("node")
        .arg(tests.join("browsers/room/run.js"))
        .arg(scene.to_string())
        // It ends its browser when this pipe ends, whatever becomes of us.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| missing("node", &error.to_string()))?;
    let output = finish(child).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|error| {
        format!("{error}: {last}\n--- error output\n{}", String::from_utf8_lossy(&output.stderr)).into()
    })
}

/// Waits for its end, and brings that about when it takes too long.
async fn finish(mut child: tokio::process::Child) -> Result<std::process::Output, Failed> {
    // Taken, for waiting for the output closes it.
    let mut input = child.stdin.take();
    let output = child.wait_with_output();
    tokio::pin!(output);
    tokio::select! {
        output = &mut output => return Ok(output?),
        () = tokio::time::sleep(PATIENCE) => drop(input.take()),
    }
    let _ = tokio::time::timeout(TIDYING_MAX, output).await;
    Err(format!("the visitors were not done after {PATIENCE:?}").into())
}

/// Installs what `package-lock.json` names, unless it was installed before.
fn install(folder: &Path) -> Result<(), Failed> {
    let lock = std::fs::read(folder.join("package-lock.json"))?;
    // A copy of the lock file that was installed from.
    let installed = folder.join("node_modules/.installed-from");
    if std::fs::read(&installed).is_ok_and(|from| from == lock) {
        return Ok(());
    }
    let output = std::process::Command::new("npm")
        .args(["ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing("npm", &error.to_string()))?;
    if !output.status.success() {
        return Err(format!("npm ci: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(std::fs::write(installed, lock)?)
}

fn chromium() -> Result<PathBuf, Failed> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| ["chromium", "chromium-browser"].map(|name| folder.join(name)))
        .find(|program| program.is_file());
    found.ok_or_else(|| missing("chromium", "it is not on the PATH").into())
}

fn missing(program: &str, error: &str) -> String {
    format!("cannot start {program} ({error}); run tests/scripts/install-tools chromium node")
}

/// Several times what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// For the browser to end.
const TIDYING_MAX: Duration = Duration::from_secs(20);
