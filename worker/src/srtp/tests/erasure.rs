//! Keys do not outlive their session: the process's own memory is read after it ended.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::*;
use crate::srtp::cipher::{Cm, Gcm};

/// What lies at an address of this process.
fn memory_at(address: usize, bytes: usize) -> Vec<u8> {
    let mut memory = vec![0; bytes];
    let offset = u64::try_from(address).unwrap();
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut memory, offset).unwrap();
    memory
}

/// Drops a value where it lies, and says how much of what looked like key material was there, and is there still.
fn left_of<T>(value: Box<T>) -> (usize, usize) {
    let address = (&raw const *value).addr();
    let before = memory_at(address, size_of::<T>());
    drop(value);
    let after = memory_at(address, size_of::<T>());
    // Eight different bytes are part of round keys, hash powers or salts (most words of those are so); pointers, lengths and
    // flags have more than one zero.
    let looks_random = |words: &[u8]| words.iter().collect::<std::collections::BTreeSet<_>>().len() == 8;
    let secrets =
        before.chunks_exact(8).zip(after.chunks_exact(8)).filter(|(before, _)| looks_random(before));
    (secrets.clone().count(), secrets.filter(|(before, after)| before == after).count())
}

#[test]
fn keys_are_gone_when_their_session_is() {
    for suite in Suite::ALL {
        let master = keys(suite, 0x3C);
        let (there, left) = match suite.is_aead() {
            true => left_of(Box::new(Gcm::new(&master.rtp()).unwrap())),
            false => left_of(Box::new(Cm::new(&master.rtp()).unwrap())),
        };
        assert!(there >= 15, "{suite:?}: {there} words of key schedule");
        assert_eq!(left, 0, "{suite:?}");
        let (there, left) = left_of(Box::new(master.rtcp()));
        assert!(there >= 2 && left == 0, "{suite:?}: {left} of {there} words of session keys");
        let (there, left) = left_of(Box::new(master));
        assert!(there >= 1 && left == 0, "{suite:?}: {left} of {there} words of master keys");
    }
}
