//! Everything that asks the operating system: sockets, the pipe, clocks, memory, signals. The only I/O of the worker.
//!
//! Knows system calls and descriptors. Does not know what the bytes mean. Called by the event loop, and by the core
//! through [`Network`](crate::network::Network) alone. All unsafe code of the worker but the packet pool's is here.
//! Invariant: every descriptor is closed on exec (a sibling worker must not hold our ends open) and non-blocking.

mod address;
mod bind;
pub mod clock;
pub mod limits;
pub mod memory;
pub mod pipe;
pub mod signals;
pub mod sockets;
pub mod tcp;
pub mod udp;

use std::io;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Tidegate runs on Linux (kernel 5.4 or later) on x86_64 and aarch64");

/// Turns a system call's -1 into the error that it left behind.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
