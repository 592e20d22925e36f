//! The application's own executable as the worker (feature `embedded-worker`).
//!
//! `run_if_worker` is the first line of a synchronous `main`, before any runtime or thread:
//!
//! ```no_run
//! # #[cfg(feature = "embedded-worker")]
//! tidegate::embedded::run_if_worker();
//! // ... only now build the runtime and spawn workers
//! ```
//!
//! Started by the host with a marker as its first argument, the call becomes the worker and never returns. In every
//! other process it opens the executable, so that workers can be started from that descriptor even after the file
//! was replaced or removed, and returns at once.

use std::path::PathBuf;

/// What to do when the embedded worker is not there.
pub(crate) const HOW_TO: &str = "this executable cannot act as the worker: enable the feature `embedded-worker` of \
     the crate `tidegate`, and call tidegate::embedded::run_if_worker() in the first line of main";

#[cfg(feature = "embedded-worker")]
pub use enabled::run_if_worker;

/// The program that starts this executable again and the argument that makes it a worker; `None` unless
/// `run_if_worker` was called.
pub(crate) fn program() -> Option<(PathBuf, &'static str)> {
    #[cfg(feature = "embedded-worker")]
    return enabled::program().map(|program| (program, enabled::MARKER));
    #[cfg(not(feature = "embedded-worker"))]
    None
}

#[cfg(feature = "embedded-worker")]
mod enabled {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use crate::launch::CONTROL_FDS_MAX;

    /// Becomes the worker if this process was started as one; returns otherwise. Call it in the first line of
    /// `main`, before any runtime or thread.
    #[expect(clippy::exit, reason = "in a worker process this call is all of main")]
    pub fn run_if_worker() {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == MARKER) {
            std::process::exit(tidegate_worker::main_with_args(arguments));
        }
        // Without /proc there is no embedded worker; spawning one says so.
        if let Ok(executable) = open_executable() {
            let _ = EXECUTABLE.set(executable);
        }
    }

    pub(super) fn program() -> Option<PathBuf> {
        let executable = EXECUTABLE.get()?;
        Some(PathBuf::from(format!("/proc/self/fd/{}", executable.as_raw_fd())))
    }

    /// Opens this executable at a descriptor that the control descriptors of a child do not take the place of,
    /// between fork and exec.
    fn open_executable() -> io::Result<File> {
        let mut low = Vec::new();
        loop {
            let executable = File::open("/proc/self/exe")?;
            if executable.as_raw_fd() > CONTROL_FDS_MAX {
                return Ok(executable);
            }
            low.push(executable);
        }
    }

    /// Makes a process of this executable a worker.
    pub(super) const MARKER: &str = "--tidegate-embedded-worker";

    static EXECUTABLE: OnceLock<File> = OnceLock::new();
}
