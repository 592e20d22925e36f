//! Runs the yardstick's self-check: a helper process sends on the worker's core, this one empties the sinks.

use std::io;
use std::net::SocketAddr;

use super::subject::{Helper, SELF_CHECK};
use crate::clock;
use crate::ideal::{DESTINATIONS, SelfCheck};
use crate::load::Sinks;
use crate::process::{self, Cores};

/// Compares the yardstick's sending with a plain loop of sendto, now, on these cores.
///
/// # Errors
/// The helper cannot be started, or a socket fails.
pub fn self_check(cores: Cores) -> io::Result<SelfCheck> {
    let mut sinks = Sinks::open(DESTINATIONS)?;
    let addresses = sinks.addresses()?.into_iter().filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    let mut helper = Helper::start(SELF_CHECK)?;
    process::pin(helper.pid(), cores.subject)?;
    helper.tell(&addresses.collect::<Vec<_>>())?;
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| helper.answer());
        while !answer.is_finished() {
            sinks.sweep_all()?;
            clock::sleep_for(SWEEP_EVERY_NS);
        }
        answer.join().map_err(|_| io::Error::other("asking the helper failed"))?
    })
}

const SWEEP_EVERY_NS: u64 = 1_000_000;
