//! What SRTP costs a packet: the engine beside OpenSSL's EVP on the same packets, by turns in one run.
//!
//! Knows packets of a header and a payload that lies elsewhere, as the worker has them: header written, payload encrypted
//! into its place, tag behind. OpenSSL does the same work in the cheapest way that it has: cipher contexts of EVP are made
//! once and only nonces set anew; HMAC is SHA-1 from saved states, without EVP, whose own HMAC takes three times as long.
//! Called by the benchmark program.
//! Its invariant: both sides write packets of the same length, with a key schedule that is there already.

use std::fmt;
use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::sha::Sha1;
use serde::Serialize;
use tidegate_worker::srtp::{Body, Keys, Protect, Suite};

use crate::stats::median;

/// One suite and one length of payload.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Row {
    /// The suite's name.
    pub suite: &'static str,
    /// Bytes of payload; the header has 20 more.
    pub payload_bytes: usize,
    /// Of the engine, nanoseconds of CPU time a packet: the median of the rounds.
    pub ours_ns: f64,
    /// Of OpenSSL.
    pub openssl_ns: f64,
    /// Ours in units of OpenSSL's: the median of the rounds' ratios.
    pub ratio: f64,
    /// What it may be at most.
    pub at_most: f64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, payload_bytes, ours_ns, openssl_ns, ratio, at_most } = self;
        write!(
            f,
            "{suite:24} {payload_bytes:5} {ours_ns:8.0} {openssl_ns:8.0} {ratio:6.2}   {at_most:.1}{}",
            if ratio > at_most { "  too slow" } else { "" }
        )
    }
}

/// The head of a table of rows.
pub const HEAD: &str = "suite                    bytes  ours ns  EVP ns   ratio   at most";

/// Measures all suites on both lengths, `rounds` times by turns.
///
/// # Errors
/// OpenSSL refuses something.
pub fn measure(rounds: usize) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for suite in Suite::ALL {
        for payload_bytes in [120, 1_100] {
            rows.push(row(suite, payload_bytes, rounds)?);
        }
    }
    Ok(rows)
}

/// Measures one suite on one length.
///
/// # Errors
/// OpenSSL refuses something.
pub fn row(suite: Suite, payload_bytes: usize, rounds: usize) -> io::Result<Row> {
    let keys = Keys::new(suite, &vec![0x3A; suite.master_bytes()]).map_err(io::Error::other)?;
    let mut ours = Ours::new(&keys, payload_bytes)?;
    let mut theirs = Evp::new(suite, payload_bytes)?;
    theirs.packet(1)?;
    ours.packet(1)?;
    if theirs.packet.len() != ours.packet.len() {
        return Err(io::Error::other("the two sides do not do the same work"));
    }
    let (mut ours_ns, mut openssl_ns, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut sequence = 2;
    for _ in 0..rounds {
        let mut turn = |packet: &mut dyn FnMut(u16) -> io::Result<()>| {
            let begun = cpu_ns()?;
            for _ in 0..PACKETS_A_ROUND {
                sequence = if sequence == u16::MAX { 1 } else { sequence + 1 };
                packet(sequence)?;
            }
            io::Result::Ok((cpu_ns()? - begun) / f64::from(PACKETS_A_ROUND))
        };
        let (a, b) =
            (turn(&mut |sequence| ours.packet(sequence))?, turn(&mut |sequence| theirs.packet(sequence))?);
        ours_ns.push(a);
        openssl_ns.push(b);
        ratios.push(a / b);
    }
    let middle = |values: &[f64]| median(values).unwrap_or(f64::NAN);
    Ok(Row {
        suite: suite.name(),
        payload_bytes,
        ours_ns: middle(&ours_ns),
        openssl_ns: middle(&openssl_ns),
        ratio: middle(&ratios),
        at_most: if suite.key_bytes() + suite.salt_bytes() == 30 { 1.0 } else { 0.5 },
    })
}

/// CPU time of this thread.
fn cpu_ns() -> io::Result<f64> {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(Duration::from(spent).as_secs_f64() * 1e9)
}

/// The engine's side.
struct Ours {
    session: Protect,
    payload: Vec<u8>,
    packet: Vec<u8>,
}

impl Ours {
    fn new(keys: &Keys, payload_bytes: usize) -> io::Result<Self> {
        let session = Protect::new(keys).ok_or_else(|| io::Error::other("no cipher"))?;
        let packet = vec![0; HEADER_BYTES + payload_bytes + keys.suite().rtp_tag_bytes()];
        Ok(Self { session, payload: vec![0x77; payload_bytes], packet })
    }

    fn packet(&mut self, sequence: u16) -> io::Result<()> {
        self.packet[..HEADER_BYTES].copy_from_slice(&header(sequence));
        let body = Body { header_bytes: HEADER_BYTES, payload_offset: HEADER_BYTES, payload: &self.payload };
        self.session.rtp(&mut self.packet, body).map_err(io::Error::other)
    }
}

/// OpenSSL's side.
struct Evp {
    cipher: CipherCtx,
    /// With the inner and the outer pad of the key already in it (RFC 2104).
    hmac: Option<(Sha1, Sha1)>,
    payload: Vec<u8>,
    packet: Vec<u8>,
}

impl Evp {
    fn new(suite: Suite, payload_bytes: usize) -> io::Result<Self> {
        let (kind, is_aead) = match suite {
            Suite::AeadAes256Gcm => (Cipher::aes_256_gcm(), true),
            Suite::AeadAes128Gcm => (Cipher::aes_128_gcm(), true),
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => (Cipher::aes_128_ctr(), false),
        };
        let mut cipher = CipherCtx::new()?;
        let nonce = &[0; 16][..if is_aead { 12 } else { 16 }];
        cipher.encrypt_init(Some(kind), Some(&vec![0x3A; kind.key_length()]), Some(nonce))?;
        let padded = |byte: u8| {
            let mut hash = Sha1::new();
            hash.update(&[byte ^ 0x3A; 64]);
            hash
        };
        let hmac = (!is_aead).then(|| (padded(0x36), padded(0x5C)));
        let packet = vec![0; HEADER_BYTES + payload_bytes + suite.rtp_tag_bytes()];
        Ok(Self { cipher, hmac, payload: vec![0x77; payload_bytes], packet })
    }

    fn packet(&mut self, sequence: u16) -> io::Result<()> {
        let Self { cipher, hmac, payload, packet } = self;
        let header = header(sequence);
        packet[..HEADER_BYTES].copy_from_slice(&header);
        let end = HEADER_BYTES + payload.len();
        let mut nonce = [0; 16];
        nonce[8..10].copy_from_slice(&sequence.to_be_bytes());
        let Some((inner, outer)) = hmac else {
            cipher.encrypt_init(None, None, Some(&nonce[..12]))?;
            cipher.cipher_update(&header, None)?;
            cipher.cipher_update(payload, Some(&mut packet[HEADER_BYTES..end]))?;
            cipher.cipher_final(&mut [])?;
            return Ok(cipher.tag(&mut packet[end..])?);
        };
        cipher.encrypt_init(None, None, Some(&nonce))?;
        cipher.cipher_update(payload, Some(&mut packet[HEADER_BYTES..end]))?;
        let (mut inner, mut outer) = (inner.clone(), outer.clone());
        inner.update(&packet[..end]);
        inner.update(&[0; 4]);
        outer.update(&inner.finish());
        let tag = outer.finish();
        let room = &mut packet[end..];
        room.copy_from_slice(&tag[..room.len()]);
        Ok(())
    }
}

/// A fixed header and an extension block of two words.
fn header(sequence: u16) -> [u8; HEADER_BYTES] {
    let [high, low] = sequence.to_be_bytes();
    [0x90, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7, 0xBE, 0xDE, 0, 1, 0x10, 0x61, 0, 0]
}

const HEADER_BYTES: usize = 20;
/// A fraction of a millisecond: most rounds are then not interrupted.
const PACKETS_A_ROUND: u32 = 250;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_measured_on_both_lengths() {
        let rows = measure(1).unwrap();
        assert_eq!(rows.len(), 8);
        assert!(rows.iter().all(|row| row.ours_ns > 0.0 && row.openssl_ns > 0.0 && row.ratio.is_finite()));
        assert_eq!(rows.iter().filter(|row| row.at_most < 1.0).count(), 4);
    }
}
