//! Writing messages into a caller's buffer.
//!
//! Knows the layout of attributes. Does not know when to send what.
//! Invariant: the header's length is right after every attribute; what does not fit makes the whole message `None`.

use std::net::{IpAddr, SocketAddr};

use super::integrity::{IntegrityKey, fingerprint};
use super::{Class, HEADER_BYTES, MAGIC_COOKIE, PORT_MASK, TransactionId, address_mask, attribute, type_of};

/// One message under construction. Attributes come in the order of the calls; [`Self::finish`] ends it.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    /// `None` once something did not fit.
    used: Option<usize>,
    transaction: TransactionId,
}

impl<'a> Writer<'a> {
    /// Begins a message in `out`.
    pub fn new(out: &'a mut [u8], class: Class, method: u16, transaction: &TransactionId) -> Self {
        let mut writer = Self { out, used: Some(0), transaction: *transaction };
        writer.put(&type_of(class, method).to_be_bytes());
        writer.put(&[0, 0]);
        writer.put(&MAGIC_COOKIE);
        writer.put(transaction);
        writer
    }

    /// USERNAME.
    pub fn username(&mut self, username: &[u8]) {
        self.attribute(attribute::USERNAME, username);
    }

    /// PRIORITY.
    pub fn priority(&mut self, priority: u32) {
        self.attribute(attribute::PRIORITY, &priority.to_be_bytes());
    }

    /// USE-CANDIDATE.
    pub fn use_candidate(&mut self) {
        self.attribute(attribute::USE_CANDIDATE, &[]);
    }

    /// NOMINATION under its registered number, 0x0030.
    pub fn nomination(&mut self, nomination: u32) {
        self.attribute(attribute::NOMINATION, &nomination.to_be_bytes());
    }

    /// NOMINATION under the number that it had before, 0xC001.
    pub fn nomination_before_registration(&mut self, nomination: u32) {
        self.attribute(attribute::NOMINATION_OLD, &nomination.to_be_bytes());
    }

    /// ICE-CONTROLLED.
    pub fn controlled(&mut self, tie_breaker: u64) {
        self.attribute(attribute::ICE_CONTROLLED, &tie_breaker.to_be_bytes());
    }

    /// ICE-CONTROLLING.
    pub fn controlling(&mut self, tie_breaker: u64) {
        self.attribute(attribute::ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    }

    /// SOFTWARE.
    pub fn software(&mut self, software: &[u8]) {
        self.attribute(attribute::SOFTWARE, software);
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 14.2).
    pub fn xor_mapped_address(&mut self, address: SocketAddr) {
        let port = (address.port() ^ PORT_MASK).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => {
                let ip = u32::from(ip) ^ u32::from_be_bytes(MAGIC_COOKIE);
                self.attribute_of(attribute::XOR_MAPPED_ADDRESS, [&[0, 1], &port, &ip.to_be_bytes()]);
            }
            IpAddr::V6(ip) => {
                let ip = u128::from(ip) ^ address_mask(&self.transaction);
                self.attribute_of(attribute::XOR_MAPPED_ADDRESS, [&[0, 2], &port, &ip.to_be_bytes()]);
            }
        }
    }

    /// ERROR-CODE without a phrase: whoever needs one has a table.
    pub fn error_code(&mut self, code: u16) {
        let byte = |number: u16| u8::try_from(number).unwrap_or(0);
        self.attribute(attribute::ERROR_CODE, &[0, 0, byte(code / 100), byte(code % 100)]);
    }

    /// UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(&mut self, types: &[u16]) {
        let length = u16::try_from(types.len() * 2).unwrap_or(u16::MAX);
        self.put(&attribute::UNKNOWN_ATTRIBUTES.to_be_bytes());
        self.put(&length.to_be_bytes());
        for kind in types {
            self.put(&kind.to_be_bytes());
        }
        self.pad();
    }

    /// An attribute of any type.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.attribute_of(kind, [value, &[], &[]]);
    }

    /// Appends MESSAGE-INTEGRITY when there is a key, and FINGERPRINT; answers the message's length in bytes.
    /// `None`: it did not fit.
    pub fn finish(mut self, key: Option<&IntegrityKey>) -> Option<usize> {
        if let Some(key) = key {
            let value = key.sign(self.written()?);
            self.attribute(attribute::MESSAGE_INTEGRITY, &value);
        }
        let value = fingerprint(self.written()?);
        self.attribute(attribute::FINGERPRINT, &value.to_be_bytes());
        self.used
    }

    /// The same without FINGERPRINT, which a peer may leave out.
    pub fn finish_without_fingerprint(mut self, key: Option<&IntegrityKey>) -> Option<usize> {
        if let Some(key) = key {
            let value = key.sign(self.written()?);
            self.attribute(attribute::MESSAGE_INTEGRITY, &value);
        }
        self.used
    }

    fn attribute_of(&mut self, kind: u16, parts: [&[u8]; 3]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(length) = u16::try_from(length) else {
            self.used = None;
            return;
        };
        self.put(&kind.to_be_bytes());
        self.put(&length.to_be_bytes());
        for part in parts {
            self.put(part);
        }
        self.pad();
    }

    fn pad(&mut self) {
        let missing = self.used.map_or(0, |used| used.next_multiple_of(4) - used);
        self.put([0; 3].get(..missing).unwrap_or_default());
        let length = self.used.map(|used| used.saturating_sub(HEADER_BYTES));
        let Some(length) = length.and_then(|length| u16::try_from(length).ok()) else {
            self.used = None;
            return;
        };
        if let Some(place) = self.out.get_mut(2..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let Some(used) = self.used else { return };
        self.used = self.out.get_mut(used..used + bytes.len()).map(|place| {
            place.copy_from_slice(bytes);
            used + bytes.len()
        });
    }

    fn written(&self) -> Option<&[u8]> {
        self.out.get(..self.used?)
    }
}
