//! The allocator's relation to the system: memory that was freed goes back.
//!
//! Knows glibc's knobs. Does not know who allocates. Called by the event loop at start and about once a second.
//! Invariant: trimming follows freeing; a worker in steady state is never trimmed.
#![expect(unsafe_code, reason = "glibc's own calls, and getrandom")]

use std::io;

use tidegate_protocol::stats::ResourceUsage;

use crate::counters::HeapReport;

/// Decides when freed memory is worth giving back.
#[derive(Debug, Default)]
pub struct Trimmer {
    /// Free bytes that the allocator held when we last looked: what a trim leaves stays free to it, without pages.
    free_bytes: u64,
}

impl Trimmer {
    /// Sets the allocator up. Once, before anything large is allocated.
    pub fn new() -> Self {
        // Fixed thresholds: glibc would raise them to the largest block ever freed, and keep as much as twice that.
        for (name, bytes) in
            [(libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES), (libc::M_TRIM_THRESHOLD, THRESHOLD_BYTES)]
        {
            // SAFETY: takes no pointers; there is one thread.
            let accepted = unsafe { libc::mallopt(name, bytes) };
            debug_assert_eq!(accepted, 1, "mallopt({name})");
        }
        Self::default()
    }

    /// Gives freed memory back to the system if much was freed since the last call.
    pub fn trim_if_freed(&mut self) {
        let free_bytes = heap().free_bytes;
        if free_bytes < self.free_bytes.saturating_add(WORTH_TRIMMING_BYTES) {
            self.free_bytes = free_bytes.min(self.free_bytes);
            return;
        }
        // SAFETY: takes no pointers.
        unsafe { libc::malloc_trim(0) };
        self.free_bytes = free_bytes;
    }
}

/// Asks the system. Costs a system call: for a request that wants to know, never in a turn.
pub fn resource_usage() -> ResourceUsage {
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut usage = libc::rusage {
        ru_utime: zero,
        ru_stime: zero,
        ru_maxrss: 0,
        ru_ixrss: 0,
        ru_idrss: 0,
        ru_isrss: 0,
        ru_minflt: 0,
        ru_majflt: 0,
        ru_nswap: 0,
        ru_inblock: 0,
        ru_oublock: 0,
        ru_msgsnd: 0,
        ru_msgrcv: 0,
        ru_nsignals: 0,
        ru_nvcsw: 0,
        ru_nivcsw: 0,
    };
    // SAFETY: `usage` is a whole rusage, writable during the call.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    debug_assert_eq!(result, 0);
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    let millis = |time: libc::timeval| count(time.tv_sec) * 1_000 + count(time.tv_usec) / 1_000;
    ResourceUsage {
        ru_utime: millis(usage.ru_utime),
        ru_stime: millis(usage.ru_stime),
        ru_maxrss: count(usage.ru_maxrss),
        ru_ixrss: count(usage.ru_ixrss),
        ru_idrss: count(usage.ru_idrss),
        ru_isrss: count(usage.ru_isrss),
        ru_minflt: count(usage.ru_minflt),
        ru_majflt: count(usage.ru_majflt),
        ru_nswap: count(usage.ru_nswap),
        ru_inblock: count(usage.ru_inblock),
        ru_oublock: count(usage.ru_oublock),
        ru_msgsnd: count(usage.ru_msgsnd),
        ru_msgrcv: count(usage.ru_msgrcv),
        ru_nsignals: count(usage.ru_nsignals),
        ru_nvcsw: count(usage.ru_nvcsw),
        ru_nivcsw: count(usage.ru_nivcsw),
    }
}

/// A seed for [`Random`](crate::random::Random) from the system.
///
/// # Errors
/// The system has no random numbers to give: no worker without them.
pub fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    // SAFETY: `seed` has that many writable bytes during the call.
    let length = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    match usize::try_from(length) {
        Ok(length) if length == seed.len() => Ok(seed),
        Ok(_) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// What the allocator has given out and what it holds for the next to ask, in bytes.
pub fn heap() -> HeapReport {
    // SAFETY: takes no pointers and reads the allocator's own books; there is one thread.
    let info = unsafe { libc::mallinfo2() };
    HeapReport { used_bytes: (info.uordblks + info.hblkhd) as u64, free_bytes: info.fordblks as u64 }
}

/// From this size on a block is mapped by itself and goes back when freed; and the heap's top is cut when this much of
/// it is free. A chunk of 64 large packets (96 KiB) lies above: small blocks that outlive it cannot hold its pages back.
const THRESHOLD_BYTES: libc::c_int = 64 << 10;
/// A tenth of an idle worker's memory.
const WORTH_TRIMMING_BYTES: u64 = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_and_usage_grows() {
        assert_ne!(random_seed().unwrap(), random_seed().unwrap());
        let usage = resource_usage();
        assert!(usage.ru_maxrss > 0 && usage.ru_minflt > 0);
    }
}
