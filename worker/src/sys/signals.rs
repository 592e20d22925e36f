//! Signals as something to read: SIGINT and SIGTERM ask the worker to close; others that would end it are ignored.
//!
//! Knows signals. Does not know what closing means. Called by the event loop.
//! Invariant: no signal handler runs, ever; a signal is handled between two turns.
#![expect(unsafe_code, reason = "signalfd and signal masks")]

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::check;

/// Receives SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    descriptor: File,
    pending: bool,
}

impl Signals {
    /// From here on the process does not end by these signals. `registry` tells of them under `token`.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        ignore_broken_pipes()?;
        for signal in IGNORED {
            ignore(signal)?;
        }
        let mask = mask_of(&CLOSING)?;
        // SAFETY: `mask` was initialised by sigemptyset; the old mask is not asked for.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, ptr::null_mut()) } {
            0 => {}
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
        // SAFETY: `mask` was initialised by sigemptyset and outlives the call.
        let fd = unsafe { libc::signalfd(-1, &raw const mask, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
        let fd = check(fd)?;
        // SAFETY: the descriptor was just made and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { descriptor: File::from(fd), pending: false })
    }

    /// Takes note of an event.
    pub fn on_event(&mut self) {
        self.pending = true;
    }

    /// Whether a signal asked to close since the last call.
    pub fn asked_to_close(&mut self) -> bool {
        if !std::mem::take(&mut self.pending) {
            return false;
        }
        let mut siginfo = [0; size_of::<libc::signalfd_siginfo>()];
        let mut asked = false;
        while self.descriptor.read(&mut siginfo).is_ok_and(|bytes| bytes > 0) {
            asked = true;
        }
        asked
    }
}

/// Makes writing to a closed pipe an error instead of a signal; part of [`Signals::new`].
pub(crate) fn ignore_broken_pipes() -> io::Result<()> {
    ignore(libc::SIGPIPE)
}

fn ignore(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    match unsafe { libc::signal(signal, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn mask_of(signals: &[libc::c_int]) -> io::Result<libc::sigset_t> {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `mask` is writable and large enough for a set.
    check(unsafe { libc::sigemptyset(mask.as_mut_ptr()) })?;
    for signal in signals {
        // SAFETY: the set was initialised by sigemptyset.
        check(unsafe { libc::sigaddset(mask.as_mut_ptr(), *signal) })?;
    }
    // SAFETY: sigemptyset succeeded, so the set is initialised.
    Ok(unsafe { mask.assume_init() })
}

const CLOSING: [libc::c_int; 2] = [libc::SIGINT, libc::SIGTERM];
/// A terminal's hang-up and the like end no worker: the control pipe's end does.
const IGNORED: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];
