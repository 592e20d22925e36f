//! SRTP keys do not outlive their session: what is written to this process's memory is searched for them.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc, Block};
use tidegate_worker::srtp::{Keys, Protect, Suite, Unprotect};

/// A key that nobody may find by looking at this test: kept with every bit turned.
struct Wanted([u8; 16]);

impl Wanted {
    fn new(key: &[u8]) -> Self {
        let mut turned = [0; 16];
        turned.iter_mut().zip(key).for_each(|(turned, byte)| *turned = !byte);
        Self(turned)
    }

    /// The beginning of RTP's session key: the first block of RFC 3711 4.3.3 under the master key, for label 0.
    fn session_key(master: &[u8], suite: Suite) -> Self {
        let (key, salt) = master.split_at(suite.key_bytes());
        let mut block = Block::default();
        block[..salt.len()].copy_from_slice(salt);
        match suite.key_bytes() {
            32 => Aes256Enc::new_from_slice(key).unwrap().encrypt_block(&mut block),
            _ => Aes128Enc::new_from_slice(key).unwrap().encrypt_block(&mut block),
        }
        Self::new(&block)
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.iter().zip(&self.0).all(|(byte, turned)| *byte == !turned)
    }

    /// How often it is in memory that can be written, stacks apart: there, what was computed with is left over for a while.
    fn times_in_memory(&self) -> usize {
        let here = (&raw const *self).addr();
        let mut maps = String::new();
        File::open("/proc/self/maps").unwrap().read_to_string(&mut maps).unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[stack]")) {
            let (start, rest) = line.split_once('-').unwrap();
            let end = rest.split(' ').next().unwrap();
            let (start, end) =
                (usize::from_str_radix(start, 16).unwrap(), usize::from_str_radix(end, 16).unwrap());
            if !(start..end).contains(&here) {
                found += self.times_between(&memory, start, end);
            }
        }
        found
    }

    fn times_between(&self, memory: &File, start: usize, end: usize) -> usize {
        // On the stack, which is not searched.
        let mut page = [0_u8; 4_096 + 16];
        let mut found = 0;
        for at in (start..end).step_by(4_096) {
            let bytes = page.len().min(end - at);
            if memory.read_exact_at(&mut page[..bytes], u64::try_from(at).unwrap()).is_ok() {
                found += page[..bytes].windows(16).take(4_096).filter(|window| self.is_at(window)).count();
            }
        }
        found
    }
}

#[test]
fn keys_are_gone_when_their_sessions_are() {
    for suite in Suite::ALL {
        let (session_key, master_key) = wanted_of(suite);
        let keys = Box::new(keys_of(suite));
        let sessions = Box::new((Protect::new(&keys).unwrap(), Unprotect::new(&keys).unwrap()));
        assert!(session_key.times_in_memory() >= 2, "{suite:?}: the search finds them while they are there");
        assert!(master_key.times_in_memory() >= 1, "{suite:?}");
        drop(black_box((keys, sessions)));
        assert_eq!(session_key.times_in_memory(), 0, "{suite:?}: a session key is left");
        assert_eq!(master_key.times_in_memory(), 0, "{suite:?}: a master key is left");
    }
}

fn wanted_of(suite: Suite) -> (Wanted, Wanted) {
    let master = master_of(suite);
    let master = &master[..suite.master_bytes()];
    (Wanted::session_key(master, suite), Wanted::new(master))
}

fn keys_of(suite: Suite) -> Keys {
    Keys::new(suite, &master_of(suite)[..suite.master_bytes()]).unwrap()
}

/// Different for each suite, and never on the heap but in what is tested.
fn master_of(suite: Suite) -> [u8; 46] {
    let mut master = [0; 46];
    let first = suite.profile_id().to_be_bytes()[1];
    master.iter_mut().fold(first, |last, byte| {
        *byte = last.wrapping_mul(11).wrapping_add(7);
        *byte
    });
    master
}
