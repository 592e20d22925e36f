//! Freed memory goes back to the system. Has a `main` of its own: glibc's books are about the main thread's heap, where
//! the worker runs, and a test harness would run this on another one.

use tidegate_worker::sys::memory::Trimmer;

fn main() {
    let mut trimmer = Trimmer::new();
    trimmer.trim_if_freed();
    // A thousand blocks of 32 KiB and a small one after each, which holds its page and keeps the heap from sinking.
    let blocks: Vec<_> = (0..1000).map(|n| (vec![1_u8; 32 << 10], Box::new(n))).collect();
    let peak = anonymous_kb();
    let small: Vec<_> = blocks.into_iter().map(|(_, small)| small).collect();
    trimmer.trim_if_freed();
    let after = anonymous_kb();
    assert!(after + 26_000 < peak, "{after} kB of {peak} kB are left");
    assert_eq!(small.len(), 1000);
}

fn anonymous_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux 4.5 or later");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
