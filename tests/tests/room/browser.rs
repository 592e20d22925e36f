//! Lets two visitors in, and reads what they saw.
//!
//! Knows `tests/browsers/room` and its command line. Does not judge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::json;
use tidegate_tests::visitor;

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

/// What Fay with Firefox and Cho with Chromium saw of each other: first by Fay's camera, then by her test pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Met {
    /// The browsers'.
    pub(crate) versions: Vec<String>,
    /// How many pictures each saw move, all at the same time.
    pub(crate) moving: BTreeMap<String, u32>,
    /// The colours of their test patterns, and of what the other one saw, in degrees.
    pub(crate) hues: BTreeMap<String, f64>,
    /// The energy of the sound of the other one that each heard, as the browser counts it.
    pub(crate) energy: BTreeMap<String, f64>,
    /// How loud each heard the other by the page's own meter, 0 to 1.
    pub(crate) levels: BTreeMap<String, f64>,
    /// The tables below the tiles that Fay saw.
    pub(crate) rows: Vec<Vec<Vec<String>>>,
    /// What Fay was told where the worker listens on loopback only.
    pub(crate) told_on_loopback: String,
    /// What the browsers complained of.
    pub(crate) complaints: Vec<String>,
}

/// Lets Fay and Cho meet at the server at `port`, and Fay try the one at `loopback_port`, to which she cannot send.
pub(crate) async fn meet(port: u16, loopback_port: u16) -> Result<Met, Failed> {
    let (firefox, chromium) = (visitor::firefox()?, visitor::chromium()?);
    let scene = json!({
        "firefox": firefox,
        "chromium": chromium,
        "port": port,
        "loopbackPort": loopback_port,
        "screenshots": screenshots("room"),
    });
    Ok(visitor::visit("room/meeting.js", &scene, PATIENCE).await?)
}

/// Lets both visit the server at `port`; screenshots are left in `folder` of `target`.
pub(crate) async fn visit(port: u16, folder: &str) -> Result<Seen, Failed> {
    let scene =
        json!({ "executable": visitor::chromium()?, "port": port, "screenshots": screenshots(folder) });
    Ok(visitor::visit("room/run.js", &scene, PATIENCE).await?)
}

/// The folder of that name in `target`.
fn screenshots(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(folder)
}

/// Several times what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
