//! What the operating system knows of processes, read from /proc, and signals to them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Sends a signal, named as kill(1) names them.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Whether the process runs; one that waits to be reaped does not.
pub(crate) fn is_running(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // "pid (name) state ...": the name may hold anything but ends at the last parenthesis.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Whether the process is there at all, reaped or not.
pub(crate) fn exists(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

/// Waits for a condition of the system, at most `limit`.
pub(crate) async fn within(limit: Duration, what: &str, condition: impl Fn() -> bool) {
    let polling = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(limit, polling).await.is_ok(), "not within {limit:?}: {what}");
}

/// What the process's open descriptors are, by number: for example `pipe:[4711]`.
pub(crate) fn descriptors(pid: &str) -> Vec<(u32, String)> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let entries = folder.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, target.to_str()?.to_owned()))
    });
    entries.collect()
}

/// The pipes among them.
pub(crate) fn pipes(pid: u32) -> BTreeSet<String> {
    let all = descriptors(&pid.to_string()).into_iter();
    all.map(|(_, target)| target).filter(|target| target.starts_with("pipe:")).collect()
}
