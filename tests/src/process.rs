//! What a process costs, read from /proc, and on which core it runs.
//!
//! Knows schedstat, smaps_rollup, status and CPU affinity. Does not know what the process does. Called by benchmarks.

use std::fs;
use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Memory of a process, in kB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most that was resident at once (VmHWM).
    pub peak_kb: u64,
    /// Resident now (Rss).
    pub resident_kb: u64,
    /// Anonymous memory now: heap and stacks, without file pages.
    pub anonymous_kb: u64,
}

/// How long a process ran, and how long it could have run but had to wait for a core, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTime {
    /// On a core.
    pub ran_ns: u64,
    /// Ready, while the core was with somebody else.
    pub waited_ns: u64,
}

impl RunTime {
    /// What was added since `earlier`.
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            ran_ns: self.ran_ns.saturating_sub(earlier.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
        }
    }
}

/// The run time of all threads of `pid`; those that have ended do not count.
///
/// # Errors
/// The process is gone, or the kernel keeps no schedstat.
pub fn run_time(pid: u32) -> io::Result<RunTime> {
    let mut sum = RunTime::default();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = match fs::read_to_string(task?.path().join("schedstat")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // this thread has just ended
            text => text?,
        };
        let thread = parse_run_time(&text).ok_or_else(|| invalid("schedstat", &text))?;
        sum.ran_ns += thread.ran_ns;
        sum.waited_ns += thread.waited_ns;
    }
    Ok(sum)
}

/// The run time of the calling thread.
///
/// # Errors
/// The kernel keeps no schedstat.
pub fn own_run_time() -> io::Result<RunTime> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    parse_run_time(&text).ok_or_else(|| invalid("schedstat", &text))
}

/// What `pid` holds now and held at most.
///
/// # Errors
/// The process is gone or may not be looked at.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |text: &str, name| kb_field(text, name).ok_or_else(|| invalid(name, text));
    Ok(Memory {
        peak_kb: field(&status, "VmHWM:")?,
        resident_kb: field(&rollup, "Rss:")?,
        anonymous_kb: field(&rollup, "Anonymous:")?,
    })
}

/// What of `pid` is resident now, in kB, by the kernel's own count (VmRSS): cheap, unlike [`memory`].
///
/// # Errors
/// The process is gone.
pub fn resident_kb(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    kb_field(&status, "VmRSS:").ok_or_else(|| invalid("VmRSS", &status))
}

/// The cores a benchmark runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// For the worker, or what stands in its place.
    pub subject: usize,
    /// For the load generator and the sinks.
    pub load: usize,
}

impl Cores {
    /// The first and the last core that this process may use.
    ///
    /// # Errors
    /// There is only one: the load generator would measure itself.
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let (first, last) = (cores.next(), cores.next_back());
        let one_core = "a benchmark needs two cores: one for the worker, one for the load generator";
        first
            .zip(last)
            .map(|(subject, load)| Self { subject, load })
            .ok_or_else(|| io::Error::other(one_core))
    }
}

/// Keeps every thread of `pid` (0: the calling thread and what it starts from now on) on one core.
///
/// # Errors
/// The process is gone, or the core may not be used.
pub fn pin(pid: u32, core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    if pid == 0 {
        return Ok(sched_setaffinity(Pid::from_raw(0), &set)?);
    }
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = task?.file_name();
        let task = name.to_str().and_then(|name| name.parse().ok());
        sched_setaffinity(Pid::from_raw(task.ok_or_else(|| io::Error::other("no task id"))?), &set)?;
    }
    Ok(())
}

fn parse_run_time(schedstat: &str) -> Option<RunTime> {
    let mut fields = schedstat.split_ascii_whitespace().map(str::parse);
    Some(RunTime { ran_ns: fields.next()?.ok()?, waited_ns: fields.next()?.ok()? })
}

fn kb_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn invalid(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} cannot be read from {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read_and_holds_memory() {
        let pid = std::process::id();
        // How long is not certain: the kernel brings a running thread's time up to date at each tick only.
        run_time(pid).expect("schedstat");
        own_run_time().expect("schedstat");
        let memory = memory(pid).expect("smaps_rollup");
        assert!(memory.peak_kb >= memory.anonymous_kb && memory.anonymous_kb > 0);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(run_time(u32::MAX).is_err());
        assert!(memory(u32::MAX).is_err());
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "VmPeak:\t 5 kB\nVmHWM:\t  1744 kB\n";
        assert_eq!(kb_field(text, "VmHWM:"), Some(1_744));
        assert_eq!(kb_field(text, "Vm:"), None);
        assert_eq!(parse_run_time("123 4 5\n"), Some(RunTime { ran_ns: 123, waited_ns: 4 }));
        assert_eq!(parse_run_time(""), None);
    }
}
