//! Browsers that visit a room: the programs, the packages of `tests/browsers`, and what a visit printed.
//!
//! Knows how such a visit is started and ended. Does not know what visitors do, nor what they have to see.
//! Invariant: no browser outlives its visit.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Chromium's program.
///
/// # Errors
/// It is not installed; what to do.
pub fn chromium() -> Result<String, String> {
    program("chromium", &["chromium", "chromium-browser"])
}

/// Firefox's program.
///
/// # Errors
/// It is not installed; what to do.
pub fn firefox() -> Result<String, String> {
    program("firefox", &["firefox-esr", "firefox"])
}

/// Where a worker has to listen for Firefox, which does not send to loopback.
///
/// # Errors
/// The machine has no such address; what is missing.
pub fn address_for_firefox() -> Result<IpAddr, String> {
    // Nothing is sent: the system only says by which of its addresses it would go to a network for documentation.
    let route = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9))?;
        socket.local_addr()
    };
    let missing = "Firefox needs an IPv4 address that is not loopback, and a default route";
    let ip = route().map_err(|error: std::io::Error| format!("{missing}: {error}"))?.ip();
    if ip.is_loopback() { Err(missing.to_owned()) } else { Ok(ip) }
}

/// Starts `script` of `tests/browsers` with `scene` as its argument; what its last line of output says. It has to end
/// its browser when its standard input ends.
///
/// # Errors
/// Something of it is not installed, it took longer than `patience`, or it printed something else: with all it printed.
pub async fn visit<T: DeserializeOwned>(
    script: &str,
    scene: &Value,
    patience: Duration,
) -> Result<T, String> {
    packages_are_there()?;
    let mut runner = Command::new("node")
        .arg(folder().join(script))
        .arg(scene.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| missing("node", &error.to_string()))?;
    let (mut output, mut console) = (String::new(), String::new());
    let (Some(mut out), Some(mut err)) = (runner.stdout.take(), runner.stderr.take()) else {
        return Err("the runner has no pipes".to_owned());
    };
    let input = runner.stdin.take();
    let is_late = {
        let read = async {
            let _ = tokio::join!(out.read_to_string(&mut output), err.read_to_string(&mut console));
        };
        let mut read = std::pin::pin!(read);
        let is_late = tokio::time::timeout(patience, &mut read).await.is_err();
        drop(input);
        if is_late {
            let _ = tokio::time::timeout(TIDYING_MAX, read).await;
        }
        is_late
    };
    let result = output.lines().last().unwrap_or_default();
    serde_json::from_str(result).map_err(|error| {
        let why = if is_late { format!("not done after {patience:?}. ") } else { String::new() };
        format!("{why}{error}: {result}\n--- the page's console\n{console}")
    })
}

/// Installs what `package-lock.json` names, unless it was installed before.
fn packages_are_there() -> Result<(), String> {
    static OUTCOME: OnceLock<Result<(), String>> = OnceLock::new();
    OUTCOME.get_or_init(install).clone()
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

fn program(tool: &str, names: &[&str]) -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file());
    let found = found.ok_or_else(|| missing(tool, "it is not on the PATH"))?;
    Ok(found.to_string_lossy().into_owned())
}

fn missing(program: &str, error: &str) -> String {
    format!("cannot start {program} ({error}); run tests/scripts/install-tools chromium firefox node")
}

/// For the browser to end.
const TIDYING_MAX: Duration = Duration::from_secs(20);
