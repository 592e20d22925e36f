//! The Rust codec as a partner: lines on standard input, answers on standard output.
//!
//! ```text
//! random TYPE SEED COUNT    COUNT lines of hexadecimal bytes, each a message
//! decode TYPE HEX           `ok HEX` with the bytes written again, or `no REASON`
//! ```
//!
//! `TYPE` is `ToWorker` or `FromWorker`; bytes are a frame's content, without its length.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_reflection::Registry;
use tidegate_protocol::codec;
use tidegate_protocol::message::{FromWorker, ToWorker};

use crate::random::{Random, value};

/// Answers until the input ends.
///
/// # Errors
/// Of input and output only: a line that cannot be understood is answered.
pub(crate) fn run(registry: &Registry) -> io::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["random", name, seed, count] => messages(registry, name, seed, count),
            ["decode", name, hex] => again(name, hex).map(|hex| format!("ok {hex}")),
            _ => Err("not a command".to_owned()),
        };
        writeln!(output, "{}", answer.unwrap_or_else(|reason| format!("no {}", reason.replace('\n', " "))))?;
        output.flush()?;
    }
    Ok(())
}

fn messages(registry: &Registry, name: &str, seed: &str, count: &str) -> Result<String, String> {
    let mut random = Random::new(seed.parse().map_err(|_| "the seed is no number")?);
    let count: usize = count.parse().map_err(|_| "the count is no number")?;
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        let mut bytes = Vec::new();
        value(registry, name, &mut random, &mut bytes)?;
        lines.push(to_hex(&bytes));
    }
    Ok(lines.join("\n"))
}

fn again(name: &str, hex: &str) -> Result<String, String> {
    let bytes = from_hex(hex).ok_or("not hexadecimal")?;
    match name {
        "ToWorker" => encode_again::<ToWorker>(&bytes),
        "FromWorker" => encode_again::<FromWorker>(&bytes),
        _ => Err("the type is neither ToWorker nor FromWorker".to_owned()),
    }
}

fn encode_again<M: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<String, String> {
    let message: M = codec::decode(bytes).map_err(|error| error.to_string())?;
    let mut frame = Vec::new();
    codec::encode_frame(&message, &mut frame).map_err(|error| error.to_string())?;
    Ok(to_hex(frame.get(4..).unwrap_or_default()))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    whole.then(|| pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}
