//! Records with AES-128-GCM (RFC 5288; RFC 6347, section 4.1.2), and their replay window.
//!
//! Knows keys and sequence numbers. Does not know what records hold. Invariant: a sequence number seals one record.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::dtls::wire::Record;

/// Keys of one direction. The cipher's tables are ten times as large and made anew for each record, for after the
/// handshake there are few: SRTP has its own keys.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Key {
    key: [u8; KEY_BYTES],
    salt: [u8; SALT_BYTES],
}

/// What we send.
#[derive(Default)]
pub(super) struct Outbound {
    /// Set before anything of epoch 1 is sent.
    pub(super) key: Option<Key>,
    /// The next sequence numbers of epochs 0 and 1.
    next: [u64; 2],
}

/// What we receive in epoch 1.
#[derive(Default)]
pub(super) struct Inbound {
    pub(super) key: Option<Key>,
    /// The greatest sequence number so far, plus one.
    beyond: u64,
    /// Bit n: `beyond - 1 - n` was received.
    seen: u64,
}

impl Key {
    pub(super) fn new(key: &[u8], salt: &[u8]) -> Self {
        let mut new = Self { key: [0; KEY_BYTES], salt: [0; SALT_BYTES] };
        new.key.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
        new.salt.iter_mut().zip(salt).for_each(|(place, byte)| *place = *byte);
        new
    }

    fn cipher(&self) -> Aes128Gcm {
        Aes128Gcm::new(&self.key.into())
    }

    fn nonce(&self, explicit: [u8; EXPLICIT_NONCE_BYTES]) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = [0; SALT_BYTES + EXPLICIT_NONCE_BYTES];
        let parts = self.salt.iter().chain(&explicit);
        nonce.iter_mut().zip(parts).for_each(|(place, byte)| *place = *byte);
        nonce.into()
    }
}

impl Outbound {
    /// Writes a record of `body` to the end of `out`. Does nothing without the key that epoch 1 needs, or when the
    /// epoch's 2^48 numbers are used up.
    pub(super) fn write(&mut self, content: u8, epoch: u16, body: &[u8], out: &mut Vec<u8>) {
        let Some(next) = self.next.get_mut(usize::from(epoch)).filter(|next| **next < SEQUENCE_END) else {
            return;
        };
        let sequence = (u64::from(epoch) << 48 | *next).to_be_bytes();
        let overhead = if epoch == 0 { 0 } else { OVERHEAD_BYTES };
        let (Ok(length), Ok(plain_length)) =
            (u16::try_from(body.len() + overhead), u16::try_from(body.len()))
        else {
            return;
        };
        let header = |length: u16| {
            let [high, low] = length.to_be_bytes();
            [content, VERSION[0], VERSION[1], high, low]
        };
        if epoch == 0 {
            write_header(&header(length), sequence, out);
            out.extend_from_slice(body);
            *next += 1;
            return;
        }
        let Some(key) = &self.key else { return };
        let before = out.len();
        write_header(&header(length), sequence, out);
        out.extend_from_slice(&sequence);
        let start = out.len();
        out.extend_from_slice(body);
        let sealed = out.get_mut(start..).and_then(|bytes| {
            let additional = additional_data(sequence, &header(plain_length));
            key.cipher().encrypt_inout_detached(&key.nonce(sequence), &additional, bytes.into()).ok()
        });
        match sealed {
            Some(tag) => {
                out.extend_from_slice(&tag);
                *next += 1;
            }
            None => out.truncate(before),
        }
    }
}

impl Inbound {
    /// Decrypts a record of epoch 1 into `scratch`. `None` when it is not authentic, was received before, is too old to
    /// know, or does not fit.
    pub(super) fn open<'s>(&mut self, record: &Record<'_>, scratch: &'s mut [u8]) -> Option<&'s [u8]> {
        let key = self.key.as_ref().filter(|_| record.epoch == 1)?;
        let sequence = record.sequence;
        let age = self.beyond.checked_sub(sequence + 1);
        if age.is_some_and(|age| age >= WINDOW || self.seen >> age & 1 == 1) {
            return None;
        }
        let (explicit, sealed) = record.body.split_first_chunk::<EXPLICIT_NONCE_BYTES>()?;
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let plain = scratch.get_mut(..ciphertext.len())?;
        plain.copy_from_slice(ciphertext);
        let [high, low] = u16::try_from(ciphertext.len()).ok()?.to_be_bytes();
        let number = (1 << 48 | sequence).to_be_bytes();
        let additional = additional_data(number, &[record.content, VERSION[0], VERSION[1], high, low]);
        let tag = Tag::from(*tag);
        key.cipher()
            .decrypt_inout_detached(&key.nonce(*explicit), &additional, (&mut *plain).into(), &tag)
            .ok()?;
        match age {
            Some(age) => self.seen |= 1 << age,
            None => {
                let ahead = sequence + 1 - self.beyond;
                self.seen =
                    u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead)).unwrap_or(0) | 1;
                self.beyond = sequence + 1;
            }
        }
        Some(plain)
    }
}

/// Content type, version and length stand around epoch and sequence number.
fn write_header(header: &[u8; 5], sequence: [u8; 8], out: &mut Vec<u8>) {
    let [content, major, minor, high, low] = *header;
    out.extend_from_slice(&[content, major, minor]);
    out.extend_from_slice(&sequence);
    out.extend_from_slice(&[high, low]);
}

fn additional_data(sequence: [u8; 8], header: &[u8; 5]) -> [u8; 13] {
    let mut data = [0; 13];
    data.iter_mut().zip(sequence.iter().chain(header)).for_each(|(place, byte)| *place = *byte);
    data
}

pub(super) const KEY_BYTES: usize = 16;
pub(super) const SALT_BYTES: usize = 4;
/// Of a record, before its body.
pub(super) const HEADER_BYTES: usize = 13;
/// What encryption adds.
pub(super) const OVERHEAD_BYTES: usize = EXPLICIT_NONCE_BYTES + TAG_BYTES;
const EXPLICIT_NONCE_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
const VERSION: [u8; 2] = [0xFE, 0xFD];
const SEQUENCE_END: u64 = 1 << 48;
const WINDOW: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::wire;

    fn pair() -> (Outbound, Inbound) {
        let key = || Some(Key::new(&[7; KEY_BYTES], &[9; SALT_BYTES]));
        (Outbound { key: key(), ..Outbound::default() }, Inbound { key: key(), ..Inbound::default() })
    }

    fn sealed(outbound: &mut Outbound, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        outbound.write(wire::APPLICATION_DATA, 1, body, &mut out);
        out
    }

    fn open(inbound: &mut Inbound, datagram: &[u8]) -> Option<Vec<u8>> {
        let record = wire::records(datagram).next()?;
        inbound.open(&record, &mut [0; 256]).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_record_opens_once_and_only_unchanged() {
        let (mut outbound, mut inbound) = pair();
        let datagram = sealed(&mut outbound, b"hello");
        assert_eq!(datagram.len(), HEADER_BYTES + OVERHEAD_BYTES + 5);
        for at in 0..datagram.len() {
            let mut forged = datagram.clone();
            forged[at] ^= 1;
            // The version's second byte is not looked at, nor authenticated as received.
            assert!(at == 2 || open(&mut inbound, &forged).is_none(), "byte {at}");
        }
        let (_, mut inbound) = pair();
        assert_eq!(open(&mut inbound, &datagram).as_deref(), Some(b"hello".as_slice()));
        assert!(open(&mut inbound, &datagram).is_none());
    }

    #[test]
    fn the_window_takes_every_record_once_in_any_near_order() {
        let (mut outbound, mut inbound) = pair();
        let records: Vec<_> = (0..200).map(|_| sealed(&mut outbound, b"x")).collect();
        for chunk in records.chunks(50) {
            for datagram in chunk.iter().rev() {
                assert!(open(&mut inbound, datagram).is_some());
            }
            assert!(chunk.iter().all(|datagram| open(&mut inbound, datagram).is_none()));
        }
        assert!(open(&mut inbound, &records[100]).is_none(), "too old to know");
        let (mut outbound, mut inbound) = pair();
        outbound.next[1] = 1 << 40;
        assert!(open(&mut inbound, &sealed(&mut outbound, b"far ahead")).is_some());
        outbound.next[1] = SEQUENCE_END;
        assert!(sealed(&mut outbound, b"no number left").is_empty());
    }
}
