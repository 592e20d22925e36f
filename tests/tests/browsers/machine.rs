//! How busy the machine is: what a browser counts on a busy one is not all the worker's doing.
//!
//! Knows Linux's pressure stall information. Does not judge.

use std::fmt;
use std::time::{Duration, Instant};

/// Since when, and how long tasks had waited for a core until then.
#[derive(Debug)]
pub(crate) struct Pressure {
    begun: Instant,
    waited: Option<Duration>,
}

impl Pressure {
    #[expect(clippy::disallowed_methods, reason = "the time that a real machine takes")]
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), waited: waited() }
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(before), Some(after)) = (self.waited, waited()) else {
            return write!(out, "this system does not tell how busy it is");
        };
        let part = after.saturating_sub(before).as_secs_f64() / self.begun.elapsed().as_secs_f64();
        write!(out, "some task waited for a core {:.0} % of the time", 100.0 * part)
    }
}

/// `None` where the kernel does not count it.
fn waited() -> Option<Duration> {
    let pressure = std::fs::read_to_string("/proc/pressure/cpu").ok()?;
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    let micros = some.split_whitespace().find_map(|field| field.strip_prefix("total="))?;
    Some(Duration::from_micros(micros.parse().ok()?))
}
