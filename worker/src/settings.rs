//! The command line.
//!
//! Knows options, their defaults and limits. Does not know what they do. Called by `main` once, before anything else.
//! Invariant: what comes out is within its limits; what was wrong comes out as a sentence.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::*;
use thiserror::Error;
use tidegate_protocol::message::{LogLevel, LogTag};

use crate::moderation::INTERVAL_US_MAX;
use crate::outbox::LogSettings;
use crate::sys::pipe::ControlAddress;
use crate::worker::WorkerSettings;

/// Everything that a worker is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which log lines go to the host.
    pub log: LogSettings,
    /// Where the host is.
    pub control: ControlAddress,
    /// How long to gather datagrams after a wake; zero: not at all.
    pub batch_interval: Duration,
    /// The most that packet memory may take.
    pub packet_memory_limit_bytes: usize,
    /// Where the DTLS certificate is; without it one is made when it is first needed.
    pub dtls_files: DtlsFiles,
    /// What the core needs to know.
    pub worker: WorkerSettings,
    /// What was left out of account and why, a sentence each, for stderr.
    pub warnings: Vec<String>,
}

/// PEM files of a DTLS certificate: both or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtlsFiles {
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Invocation {
    /// Run a worker.
    Run(Settings),
    /// Print this and be done.
    Print(String),
}

/// A command line that cannot be followed; the sentence is for stderr.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}; see --help")]
pub struct BadSettings(String);

impl Default for Settings {
    fn default() -> Self {
        Self {
            log: LogSettings::default(),
            control: ControlAddress::Descriptors { input: 3, output: 4 },
            batch_interval: Duration::from_micros(500),
            packet_memory_limit_bytes: 128 << 20,
            dtls_files: DtlsFiles::default(),
            worker: WorkerSettings::default(),
            warnings: Vec::new(),
        }
    }
}

impl DtlsFiles {
    /// The certificate's file and the key's.
    pub fn paths(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.private_key.as_deref())
    }

    fn check(&self) -> Result<(), BadSettings> {
        if self.certificate.is_some() == self.private_key.is_some() {
            return Ok(());
        }
        let (given, missing) = match self.certificate {
            Some(_) => ("certificate", "private-key"),
            None => ("private-key", "certificate"),
        };
        Err(BadSettings(format!("--dtls-{given}-file needs --dtls-{missing}-file beside it")))
    }
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// The first one that is unknown, malformed or out of its limits.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, BadSettings> {
    let mut settings = Settings::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let name = match argument {
            Long("help") => return Ok(Invocation::Print(HELP.to_owned())),
            Long("version") => return Ok(Invocation::Print(version())),
            Long(name) => name.to_owned(),
            other => return Err(other.unexpected().into()),
        };
        let Some(apply) = option(&name) else { return Err(Long(&name).unexpected().into()) };
        let value = parser.value()?.string()?;
        apply(&mut settings, &value)
            .map_err(|wanted| BadSettings(format!("--{name} takes {wanted}, not {value:?}")))?;
    }
    if settings.worker.rtc_min_port > settings.worker.rtc_max_port {
        let WorkerSettings { rtc_min_port, rtc_max_port, .. } = settings.worker;
        return Err(BadSettings(format!(
            "--rtc-min-port {rtc_min_port} lies above --rtc-max-port {rtc_max_port}"
        )));
    }
    settings.dtls_files.check()?;
    Ok(Invocation::Run(settings))
}

/// Puts a value where it belongs, or says what would have been right.
type Apply = fn(&mut Settings, &str) -> Result<(), String>;

fn option(name: &str) -> Option<Apply> {
    Some(match name {
        "log-level" => |settings, value| put(&mut settings.log.level, log_level(value)),
        "log-tag" | "log-tags" => |settings, value| {
            add_log_tags(settings, value);
            Ok(())
        },
        "control-fds" => |settings, value| put(&mut settings.control, descriptors(value)),
        "control-socket" => |settings, value| {
            settings.control = ControlAddress::Socket(value.into());
            if value.is_empty() { Err("a path".to_owned()) } else { Ok(()) }
        },
        "batch-interval-us" => |settings, value| {
            let micros = number(value, 0, INTERVAL_US_MAX);
            put(&mut settings.batch_interval, micros.map(Duration::from_micros))
        },
        "dtls-certificate-file" => {
            |settings, value| put(&mut settings.dtls_files.certificate, path(value).map(Some))
        }
        "dtls-private-key-file" => {
            |settings, value| put(&mut settings.dtls_files.private_key, path(value).map(Some))
        }
        "equalize-padding" => |settings, value| put(&mut settings.worker.equalize_padding, on_or_off(value)),
        "packet-memory-limit" => {
            |settings, value| put(&mut settings.packet_memory_limit_bytes, packet_memory(value))
        }
        "rtc-min-port" => |settings, value| put(&mut settings.worker.rtc_min_port, port(value)),
        "rtc-max-port" => |settings, value| put(&mut settings.worker.rtc_max_port, port(value)),
        _ => return None,
    })
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn log_level(value: &str) -> Result<LogLevel, String> {
    LogLevel::from_name(value).ok_or_else(|| "debug, warn, error or none".to_owned())
}

/// Names between commas, beside those that were given before. A name of another release is no reason not to start.
fn add_log_tags(settings: &mut Settings, value: &str) {
    for name in value.split(',').filter(|name| !name.is_empty()) {
        if let Some(tag) = LogTag::from_name(name) {
            settings.log = settings.log.with(tag);
        } else {
            let known = LogTag::ALL.map(LogTag::name).join(", ");
            settings.warnings.push(format!("log tag {name:?} is unknown and ignored; there are {known}"));
        }
    }
}

fn descriptors(value: &str) -> Result<ControlAddress, String> {
    let ends = value.split_once(',').and_then(|(input, output)| {
        let parse = |text: &str| text.parse().ok().filter(|descriptor| *descriptor >= 0);
        Some(ControlAddress::Descriptors { input: parse(input)?, output: parse(output)? })
    });
    ends.ok_or_else(|| "two descriptors, R,W: one to read from, one to write to".to_owned())
}

fn path(value: &str) -> Result<PathBuf, String> {
    if value.is_empty() { Err("a path".to_owned()) } else { Ok(value.into()) }
}

fn on_or_off(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

fn packet_memory(value: &str) -> Result<usize, String> {
    number(value, PACKET_MEMORY_BYTES_MIN, PACKET_MEMORY_BYTES_MAX)
        .and_then(|bytes| usize::try_from(bytes).map_err(|error| error.to_string()))
}

fn port(value: &str) -> Result<u16, String> {
    number(value, 1, u64::from(u16::MAX))
        .and_then(|port| u16::try_from(port).map_err(|error| error.to_string()))
}

fn number(value: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("a number from {min} to {max}"))
}

impl From<lexopt::Error> for BadSettings {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

fn version() -> String {
    format!("tidegate-worker {}\n", env!("CARGO_PKG_VERSION"))
}

const PACKET_MEMORY_BYTES_MIN: u64 = 2 << 20;
const PACKET_MEMORY_BYTES_MAX: u64 = 1 << 40;

const HELP: &str = "\
Tidegate's media worker. Spawned by a host (the Node or Rust library), which controls it over a pipe.

Usage: tidegate-worker [options]

  --control-fds=R,W            descriptors to read requests from and write answers to (3,4)
  --control-socket=PATH        connect to a Unix stream socket instead
  --log-level=LEVEL            debug, warn, error or none (error)
  --log-tags=TAG,TAG           of which parts debug lines are sent; may be repeated (none). Parts: info, ice, dtls,
                               rtp, srtp, rtcp, rtx, bwe, score, simulcast, svc, sctp, message
  --rtc-min-port=PORT          lowest port of transports that name none (10000)
  --rtc-max-port=PORT          highest (59999)
  --packet-memory-limit=BYTES  the most that packets may take, at least 2097152 (134217728)
  --batch-interval-us=MICROS   how long to gather packets after a wake, while that pays; at most 2000, 0 is off (500)
  --equalize-padding=on|off    pad packets of a video frame to one size, so that they leave as one message (on)
  --dtls-certificate-file=PEM  certificate for DTLS, ECDSA P-256 (one is made)
  --dtls-private-key-file=PEM  its private key; both or none
  --version
  --help

Exit codes: 0 closed; 42 bad settings; 43 broken framing or greeting; 44 descriptor or bind trouble at start;
70 internal.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Settings {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Invocation::Run(settings)) => settings,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(argument: &str) -> String {
        parse([OsString::from(argument)]).unwrap_err().to_string()
    }

    #[test]
    fn without_arguments_the_defaults_hold() {
        let settings = run(&[]);
        assert_eq!(settings.control, ControlAddress::Descriptors { input: 3, output: 4 });
        assert_eq!(settings.batch_interval, Duration::from_micros(500));
        assert_eq!(settings.packet_memory_limit_bytes, 134_217_728);
        assert_eq!((settings.worker.rtc_min_port, settings.worker.rtc_max_port), (10_000, 59_999));
        assert_eq!(settings.log.level, LogLevel::Error);
        assert_eq!(settings.dtls_files.paths(), None);
    }

    #[test]
    fn every_option_arrives() {
        let settings = run(&[
            "--log-level=debug",
            "--log-tags=rtp,rtcp",
            "--control-fds=7,8",
            "--batch-interval-us",
            "0",
            "--equalize-padding=off",
            "--packet-memory-limit=2097152",
            "--rtc-min-port=40000",
            "--rtc-max-port=40000",
            "--dtls-private-key-file=key.pem",
            "--dtls-certificate-file=certificate.pem",
        ]);
        assert_eq!(settings.log.level, LogLevel::Debug);
        assert_eq!(settings.log.tags, 1 << LogTag::Rtp as u32 | 1 << LogTag::Rtcp as u32);
        assert_eq!(settings.control, ControlAddress::Descriptors { input: 7, output: 8 });
        assert!(settings.batch_interval.is_zero() && !settings.worker.equalize_padding);
        assert_eq!(settings.packet_memory_limit_bytes, 2 << 20);
        assert_eq!((settings.worker.rtc_min_port, settings.worker.rtc_max_port), (40_000, 40_000));
        let paths = (Path::new("certificate.pem"), Path::new("key.pem"));
        assert_eq!(settings.dtls_files.paths(), Some(paths));
        let settings = run(&["--control-socket=/run/host.sock"]);
        assert_eq!(settings.control, ControlAddress::Socket("/run/host.sock".into()));
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_would_be_right() {
        for (argument, sentence) in [
            ("--log-level=loud", "--log-level takes debug, warn, error or none, not \"loud\"; see --help"),
            ("--batch-interval-us=2001", "--batch-interval-us takes a number from 0 to 2000, not \"2001\""),
            ("--packet-memory-limit=2097151", "a number from 2097152"),
            ("--equalize-padding=1", "on or off"),
            ("--rtc-min-port=0", "a number from 1 to 65535"),
            ("--rtc-min-port=60000", "--rtc-min-port 60000 lies above --rtc-max-port 59999"),
            ("--control-fds=3", "two descriptors"),
            ("--control-fds=-1,4", "two descriptors"),
            ("--control-socket=", "a path"),
            ("--dtls-certificate-file=", "a path"),
            (
                "--dtls-certificate-file=a.pem",
                "--dtls-certificate-file needs --dtls-private-key-file beside it",
            ),
            (
                "--dtls-private-key-file=a.pem",
                "--dtls-private-key-file needs --dtls-certificate-file beside it",
            ),
            ("--unknown=1", "--unknown"),
            ("-v", "-v"),
            ("word", "word"),
            ("--log-level", "log-level"),
        ] {
            let said = refusal(argument);
            assert!(said.contains(sentence), "{argument}: {said}");
        }
    }

    #[test]
    fn log_tags_add_up_and_unknown_ones_are_ignored_with_a_warning() {
        let settings = run(&["--log-tags=rtp,noise", "--log-tag=score", "--log-tags=", "--log-tag=Rtcp"]);
        assert_eq!(settings.log.tags, 1 << LogTag::Rtp as u32 | 1 << LogTag::Score as u32);
        let [noise, rtcp] = &settings.warnings[..] else { panic!("{:?}", settings.warnings) };
        assert!(
            noise.starts_with("log tag \"noise\" is unknown and ignored; there are info, ice,"),
            "{noise}"
        );
        assert!(rtcp.contains("\"Rtcp\""), "{rtcp}");
    }

    #[test]
    fn help_names_every_log_tag() {
        assert!(LogTag::ALL.iter().all(|tag| HELP.contains(tag.name())));
    }

    #[test]
    fn help_names_every_option() {
        let Ok(Invocation::Print(help)) = parse([OsString::from("--help")]) else { panic!("no help") };
        let named = help.lines().filter_map(|line| line.trim().strip_prefix("--")?.split(['=', ' ']).next());
        let known: Vec<_> = named.filter(|name| !["version", "help", ""].contains(name)).collect();
        assert_eq!(known.len(), 11);
        assert!(known.iter().all(|name| option(name).is_some()), "{known:?}");
    }
}
