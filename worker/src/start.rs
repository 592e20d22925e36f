//! From a command line to an exit code: what `main` does, and what a host's own executable does when it *is* the worker.
//!
//! Knows settings and exit codes. Does not know what runs in between.
//! Invariant: whatever goes wrong before the pipe speaks is said on stderr, in a line each.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tidegate_protocol::exit;
use zeroize::Zeroizing;

use crate::dtls::{Certificate, CertificateError};
use crate::event_loop::EventLoop;
use crate::settings::{self, DtlsFiles, Invocation, Settings};

/// Runs a worker with the arguments that follow the program's name; answers the exit code ([`exit`]).
///
/// Takes over the control descriptors, signals and the allocator's thresholds: for a process that does nothing else,
/// in its main thread, before anything else was opened.
pub fn main_with_args(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let code = match settings::parse(arguments) {
        Ok(Invocation::Run(settings)) => run(&settings),
        Ok(Invocation::Print(text)) => {
            // A reader that went away is no reason to fail.
            let _ = std::io::stdout().write_all(text.as_bytes());
            exit::CLOSED
        }
        Err(error) => complain(&error, exit::BAD_SETTINGS),
    };
    i32::from(code)
}

fn run(settings: &Settings) -> u8 {
    settings.warnings.iter().for_each(say);
    // Refused before the pipe speaks, so that a host sees it at once.
    let certificate = match dtls_certificate(&settings.dtls_files) {
        Ok(certificate) => certificate,
        Err(error) => return complain(&error, exit::BAD_SETTINGS),
    };
    match EventLoop::new(settings, certificate) {
        Ok(event_loop) => event_loop.run(),
        Err(error) => complain(&error, exit::BAD_DESCRIPTOR),
    }
}

/// The certificate that the settings name, if they name one.
fn dtls_certificate(files: &DtlsFiles) -> Result<Option<Certificate>, BadCertificate> {
    let Some((certificate, key)) = files.paths() else { return Ok(None) };
    let read = |path: &Path| {
        // A pipe or a device that never ends is no certificate.
        let file = std::fs::File::open(path);
        let mut text = String::new();
        file.and_then(|file| file.take(PEM_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| BadCertificate::File(path.to_owned(), error))?;
        Ok(text)
    };
    Certificate::from_pem(&read(certificate)?, &Zeroizing::new(read(key)?))
        .map(Some)
        .map_err(BadCertificate::Content)
}

/// Why the DTLS certificate of the settings cannot be used.
#[derive(Debug, Error)]
enum BadCertificate {
    #[error("{}: {_1}", _0.display())]
    File(PathBuf, std::io::Error),
    #[error("{_0}")]
    Content(CertificateError),
}

const PEM_BYTES_MAX: u64 = 1 << 20;

fn complain(error: &dyn std::error::Error, code: u8) -> u8 {
    say(error);
    code
}

fn say(words: impl std::fmt::Display) {
    // Nobody who does not read is worth an end.
    let _ = writeln!(std::io::stderr(), "tidegate-worker: {words}");
}
