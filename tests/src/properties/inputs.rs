//! Where inputs come from: the corpora, what is drawn, and what mutation makes of both.
//!
//! Knows files of `tests/fuzz/corpus` and bytes. Does not know what a property does with them. Called by
//! `tests/properties.rs` and by [`super::campaign`].
//! Invariant: input `number` under a seed is always the same, whoever asks and in whatever order.

use std::io;
use std::path::{Path, PathBuf};

use super::Property;
use crate::fuzz::Dice;

/// The checked-in inputs of a property, by file name, in the order of the names.
///
/// # Errors
/// The directory is missing or cannot be read.
pub fn corpus(name: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(corpus_path(name))? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push((file, std::fs::read(&path)?));
    }
    found.sort();
    Ok(found)
}

/// Where the checked-in inputs of a property lie.
pub fn corpus_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// An endless supply of inputs for one property.
#[derive(Debug)]
pub struct Inputs {
    property: &'static Property,
    corpus: Vec<Vec<u8>>,
    seed: u64,
}

impl Inputs {
    /// Inputs that follow from `seed` and from the corpus as it is now.
    ///
    /// # Errors
    /// The corpus cannot be read.
    pub fn new(property: &'static Property, seed: u64) -> io::Result<Self> {
        let corpus = corpus(property.name)?.into_iter().map(|(_, bytes)| bytes).collect();
        Ok(Self { property, corpus, seed })
    }

    /// Input `number`.
    pub fn get(&self, number: u64) -> Vec<u8> {
        let mut dice = Dice::new(self.seed, number);
        match dice.below(10) {
            0..3 => (self.property.draw)(&mut dice),
            3..5 => {
                let drawn = (self.property.draw)(&mut dice);
                self.mutated(drawn, &mut dice)
            }
            5 => {
                let most = *dice.pick(&[4, 32, 300]).unwrap_or(&32);
                let count = dice.below(most);
                dice.bytes(count)
            }
            _ => {
                let known = dice.pick(&self.corpus).cloned().unwrap_or_default();
                self.mutated(known, &mut dice)
            }
        }
    }

    fn mutated(&self, mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
        for _ in 0..=dice.below(6) {
            self.mutate(&mut bytes, dice);
        }
        bytes.truncate(INPUT_BYTES_MAX);
        bytes
    }

    fn mutate(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let at = dice.below(bytes.len() + 1);
        let some = 1 + dice.below(8);
        let end = (at + some).min(bytes.len());
        match dice.below(9) {
            0..2 => overwrite(bytes, at, &[1 << dice.below(8)], |old, bit| old ^ bit),
            2 => overwrite(bytes, at, &[dice.byte()], |_, new| new),
            3 => {
                let edge = *dice.pick(EDGES).unwrap_or(&&[0][..]);
                overwrite(bytes, at, edge, |_, new| new);
            }
            4 => overwrite(bytes, at, &[*dice.pick(&[1, 255]).unwrap_or(&1)], u8::wrapping_add),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let new = if dice.chance(50) { bytes[at..end].to_vec() } else { dice.bytes(some) };
                drop(bytes.splice(at..at, new));
            }
            7 => bytes.truncate(at),
            _ => {
                let other = dice.pick(&self.corpus).map_or(&[][..], |other| &other[..]);
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (place, new) in bytes.iter_mut().skip(at).zip(new) {
        *place = with(*place, *new);
    }
}

/// Numbers around which lengths and counts go wrong, in the widths and orders that our formats have.
const EDGES: &[&[u8]] = &[
    &[0],
    &[0xFF],
    &[0x7F],
    &[0x80],
    &[0, 0],
    &[0, 1],
    &[0xFF, 0xFF],
    &[0x80, 0],
    &[0x7F, 0xFF],
    &[0xFF; 4],
    &[0; 4],
    &[1, 0, 0, 0],
    &[0, 0, 0x40, 0],
    &[0xFF; 8],
    &[0, 0, 1, 0, 0, 0, 0, 0],
];

/// No longer than what a socket or a request brings.
const INPUT_BYTES_MAX: usize = 4_096;
