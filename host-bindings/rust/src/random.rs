//! Random numbers for names: entity ids, SSRCs, CNAMEs. Not for secrets.
//!
//! A keyed hash (the standard library's, keyed by the system once per process) of a counter: no two calls give the
//! same block, and no dependency is needed. Knows nothing of what the numbers name. Called wherever an entity is made.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// 64 random bits.
pub(crate) fn random_u64() -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static BLOCK: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(BLOCK.fetch_add(1, Ordering::Relaxed))
}

/// A random id in the form of a version 4 UUID (RFC 9562 5.4).
pub(crate) fn random_id() -> String {
    let (high, low) = (random_u64(), random_u64());
    let version = (high & !0xf000) | 0x4000;
    let variant = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        version >> 32,
        (version >> 16) & 0xffff,
        version & 0xffff,
        variant >> 48,
        variant & 0xffff_ffff_ffff
    )
}

/// A random canonical name for RTCP (RFC 7022 4.2 asks for 96 bits at least).
pub(crate) fn random_cname() -> String {
    format!("{:016x}{:08x}", random_u64(), random_u64() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_uuids_and_differ() {
        let (one, two) = (random_id(), random_id());
        assert_ne!(one, two);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(one.split('-').all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())));
        assert!(one.split('-').nth(2).is_some_and(|part| part.starts_with('4')));
        assert!(one.split('-').nth(3).is_some_and(|part| part.starts_with(['8', '9', 'a', 'b'])));
    }

    #[test]
    fn cnames_differ() {
        assert_ne!(random_cname(), random_cname());
        assert_eq!(random_cname().len(), 24);
    }
}
