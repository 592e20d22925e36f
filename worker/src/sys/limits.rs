//! How many descriptors the process may open.
//!
//! Knows RLIMIT_NOFILE. Does not know what they are for. Called once, at start.
//! Invariant: never lowers a limit.
#![expect(unsafe_code, reason = "getrlimit and setrlimit")]

use std::io;

use super::check;

/// Raises the limit of open files to what the process may give itself: shells and service managers start processes with
/// 1,024, which a thousand transports with sockets of their own exceed. Answers the new limit.
///
/// # Errors
/// Whatever the system says; the worker runs on with the limit it has.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a whole rlimit, writable during the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is a whole rlimit, which the call only reads.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_becomes_what_the_system_allows_and_stays() {
        let limit = raise_open_files().unwrap();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers, [limit, limit]);
        assert_eq!(raise_open_files().unwrap(), limit);
    }
}
