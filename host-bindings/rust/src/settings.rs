//! How a worker is started.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::SpawnError;
use crate::{LogLevel, LogTag};

/// How to start a worker. `WorkerSettings::default()` suits most; a field that is `None` leaves the choice to the
/// worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Which program to start.
    pub worker_bin: WorkerBin,
    /// Up to which level the worker sends log lines ([`WorkerEvent::Log`](crate::WorkerEvent::Log)); errors by
    /// default.
    pub log_level: LogLevel,
    /// Of which parts it sends debug lines.
    pub log_tags: Vec<LogTag>,
    /// How long the worker lets packets gather before it reads them, 0 to 2 ms; 0 is off. More saves CPU, less saves
    /// delay. The worker's default is 0.5 ms.
    pub batch_interval: Option<Duration>,
    /// Whether packets of a video frame that differ by a few bytes are padded to one size, so that they leave in
    /// one system call. The worker's default is yes.
    pub equalize_padding: Option<bool>,
    /// The most bytes that packets may hold in the worker, at least 2 MiB. The worker's default is 128 MiB.
    pub packet_memory_limit: Option<u64>,
    /// The lowest port for [`ListenPort::Any`](crate::ListenPort::Any). The worker's default is 10,000.
    pub rtc_min_port: Option<u16>,
    /// The highest port for [`ListenPort::Any`](crate::ListenPort::Any). The worker's default is 59,999.
    pub rtc_max_port: Option<u16>,
    /// How long the worker may take to greet: 10 s by default.
    pub start_timeout: Duration,
    /// How long an answer may take, waiting for room in the pipe included: 10 s by default.
    pub request_timeout: Duration,
}

/// Which program is the worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkerBin {
    /// The first of: the environment variable `TIDEGATE_WORKER_BIN`; this executable, if it called
    /// `embedded::run_if_worker` (feature `embedded-worker`); `tidegate-worker` beside this executable;
    /// `target/release/tidegate-worker` of the cargo project that this executable was built in or is run in.
    #[default]
    Search,
    /// This executable, started again. Needs the feature `embedded-worker`.
    Embedded,
    /// This program and no other.
    Path(PathBuf),
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            worker_bin: WorkerBin::default(),
            log_level: LogLevel::Error,
            log_tags: Vec::new(),
            batch_interval: None,
            equalize_padding: None,
            packet_memory_limit: None,
            rtc_min_port: None,
            rtc_max_port: None,
            start_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl WorkerSettings {
    /// The worker's command line.
    pub(crate) fn arguments(&self) -> Result<Vec<OsString>, SpawnError> {
        if let (Some(min), Some(max)) = (self.rtc_min_port, self.rtc_max_port)
            && min > max
        {
            return Err(SpawnError::InvalidSetting("rtc_min_port is above rtc_max_port; swap them"));
        }
        if self.batch_interval.is_some_and(|interval| interval > BATCH_INTERVAL_MAX) {
            return Err(SpawnError::InvalidSetting("batch_interval is more than 2 ms; shorten it"));
        }
        if self.packet_memory_limit.is_some_and(|bytes| bytes < PACKET_MEMORY_MIN) {
            return Err(SpawnError::InvalidSetting("packet_memory_limit is less than 2 MiB; raise it"));
        }
        let mut arguments = vec![format!("--log-level={}", self.log_level.name())];
        if !self.log_tags.is_empty() {
            let tags: Vec<&str> = self.log_tags.iter().map(|tag| tag.name()).collect();
            arguments.push(format!("--log-tags={}", tags.join(",")));
        }
        let interval = self.batch_interval.map(|interval| interval.as_micros().to_string());
        let padding = self.equalize_padding.map(|on| if on { "on" } else { "off" }.to_owned());
        let optional = [
            ("--batch-interval-us", interval),
            ("--equalize-padding", padding),
            ("--packet-memory-limit", self.packet_memory_limit.map(|bytes| bytes.to_string())),
            ("--rtc-min-port", self.rtc_min_port.map(|port| port.to_string())),
            ("--rtc-max-port", self.rtc_max_port.map(|port| port.to_string())),
        ];
        let given = optional.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        arguments.extend(given);
        Ok(arguments.into_iter().map(OsString::from).collect())
    }
}

/// What the worker takes at most.
const BATCH_INTERVAL_MAX: Duration = Duration::from_millis(2);
/// What the worker takes at least.
const PACKET_MEMORY_MIN: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reaches_the_command_line() {
        let settings = WorkerSettings {
            log_level: LogLevel::Debug,
            log_tags: vec![LogTag::Rtp, LogTag::Rtcp],
            batch_interval: Some(Duration::from_micros(250)),
            equalize_padding: Some(false),
            packet_memory_limit: Some(4 << 20),
            rtc_min_port: Some(20_000),
            rtc_max_port: Some(20_099),
            ..Default::default()
        };
        let arguments = settings.arguments().unwrap();
        let expected = [
            "--log-level=debug",
            "--log-tags=rtp,rtcp",
            "--batch-interval-us=250",
            "--equalize-padding=off",
            "--packet-memory-limit=4194304",
            "--rtc-min-port=20000",
            "--rtc-max-port=20099",
        ];
        assert_eq!(arguments, expected.map(OsString::from));
        assert_eq!(WorkerSettings::default().arguments().unwrap(), [OsString::from("--log-level=error")]);
    }

    #[test]
    fn settings_that_the_worker_would_refuse_are_refused_with_a_reason() {
        let ports =
            WorkerSettings { rtc_min_port: Some(2), rtc_max_port: Some(1), ..WorkerSettings::default() };
        let interval = WorkerSettings { batch_interval: Some(Duration::from_secs(1)), ..Default::default() };
        let memory = WorkerSettings { packet_memory_limit: Some(1), ..Default::default() };
        for settings in [ports, interval, memory] {
            assert!(matches!(settings.arguments(), Err(SpawnError::InvalidSetting(_))), "{settings:?}");
        }
    }
}
