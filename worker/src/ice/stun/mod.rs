//! STUN messages (RFC 8489): bytes to a message and back.
//!
//! Knows the header, the attributes that ICE uses, MESSAGE-INTEGRITY and FINGERPRINT. Does not know who may ask, nor
//! what an answer means. Called by [`IceLite`](super::IceLite), and by tests that play a peer.
//! Invariant: a [`Message`] has a whole header, attributes that fill its length exactly, and a right FINGERPRINT if it
//! has one. Nothing here allocates, and the work is linear in the bytes.

mod integrity;
#[cfg(test)]
mod tests;
mod write;

pub use integrity::{IntegrityKey, equal_in_constant_time};
pub use write::Writer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// A parsed message. Attributes that it has twice count the first time; those behind MESSAGE-INTEGRITY, FINGERPRINT
/// excepted, do not count at all, for nobody signed them (RFC 8489 14.5).
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Request, indication or answer.
    pub class: Class,
    /// What is asked, 0..=0xFF; [`BINDING`] is all that ICE uses.
    pub method: u16,
    /// Chosen by who asked; the answer has the same.
    pub transaction: TransactionId,
    /// USERNAME: for ICE `their-fragment:our-fragment`, seen from who asked. At most [`USERNAME_BYTES_MAX`] bytes.
    pub username: Option<&'a [u8]>,
    /// PRIORITY (RFC 8445 7.1.1).
    pub priority: Option<u32>,
    /// USE-CANDIDATE (RFC 8445 7.1.2).
    pub use_candidate: bool,
    /// NOMINATION, under either of its numbers: which nomination of the peer's this is; higher is newer.
    pub nomination: Option<u32>,
    /// ICE-CONTROLLED: the peer believes that we lead, with this tie-breaker.
    pub controlled: Option<u64>,
    /// ICE-CONTROLLING: the peer leads, with this tie-breaker.
    pub controlling: Option<u64>,
    /// SOFTWARE, at most [`SOFTWARE_BYTES_MAX`] bytes.
    pub software: Option<&'a [u8]>,
    /// XOR-MAPPED-ADDRESS of an answer.
    pub mapped_address: Option<SocketAddr>,
    /// ERROR-CODE of an answer, 300..=699.
    pub error_code: Option<u16>,
    unknown: UnknownAttributes,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
    has_fingerprint: bool,
    bytes: &'a [u8],
}

/// What kind of message it is (RFC 8489 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// The answer to a request that was granted.
    Success,
    /// The answer to one that was not.
    Error,
}

/// Ties an answer to its request.
pub type TransactionId = [u8; 12];

/// Types of attributes below 0x8000 that we do not know, of which an answer names the first few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownAttributes {
    types: [u16; UNKNOWN_NAMED_MAX],
    count: usize,
}

/// Why bytes are no STUN message. Whoever sent them gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Too short, no magic cookie, or a first byte that says otherwise.
    #[error("not a STUN header")]
    NotStun,
    /// The header's length is not that of the bytes, or no multiple of four.
    #[error("the length in the header is wrong")]
    Length,
    /// An attribute ends behind the message or has an impossible length, or something follows FINGERPRINT.
    #[error("an attribute is malformed")]
    Attribute,
    /// The checksum is wrong.
    #[error("FINGERPRINT is wrong")]
    Fingerprint,
}

/// Whether a datagram is to be read as STUN: by its first byte (RFC 7983 7) and the magic cookie.
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES
        && bytes.first().is_some_and(|first| *first < 4)
        && bytes.get(4..8) == Some(&MAGIC_COOKIE)
}

/// The USERNAME of what may be a message, looked for before anything is verified: says on a shared socket whose it is.
pub fn username_of(datagram: &[u8]) -> Option<&[u8]> {
    if !is_stun(datagram) {
        return None;
    }
    let mut rest = datagram.get(HEADER_BYTES..)?;
    loop {
        let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        if kind == attribute::USERNAME {
            return bounded(rest.get(4..4 + length)?, USERNAME_BYTES_MAX);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

impl<'a> Message<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`ParseError`]: it is none of ours, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if !is_stun(bytes) {
            return Err(ParseError::NotStun);
        }
        let kind = u16_at(bytes, 0).ok_or(ParseError::NotStun)?;
        let length = u16_at(bytes, 2).ok_or(ParseError::NotStun)?;
        if usize::from(length) != bytes.len() - HEADER_BYTES || !length.is_multiple_of(4) {
            return Err(ParseError::Length);
        }
        let transaction = bytes.get(8..HEADER_BYTES).and_then(|id| id.try_into().ok());
        let mut message = Self {
            class: Class::of(kind),
            method: method_of(kind),
            transaction: transaction.ok_or(ParseError::NotStun)?,
            username: None,
            priority: None,
            use_candidate: false,
            nomination: None,
            controlled: None,
            controlling: None,
            software: None,
            mapped_address: None,
            error_code: None,
            unknown: UnknownAttributes::default(),
            integrity: None,
            has_fingerprint: false,
            bytes,
        };
        message.read_attributes()?;
        Ok(message)
    }

    /// Whether it ends with a FINGERPRINT; a wrong one is never parsed.
    pub const fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// Whether it claims integrity; [`Self::is_signed_by`] says whether rightly.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether MESSAGE-INTEGRITY (RFC 8489 14.5) is there and was made with `key`. Takes the same time for every wrong
    /// value.
    pub fn is_signed_by(&self, key: &IntegrityKey) -> bool {
        let Some(at) = self.integrity else { return false };
        let (Some(signed), Some(value)) =
            (self.bytes.get(..at), self.bytes.get(at + 4..at + 4 + INTEGRITY_BYTES))
        else {
            return false;
        };
        key.verifies(signed, value)
    }

    /// Attributes that it may not be answered without knowing.
    pub const fn unknown_attributes(&self) -> &UnknownAttributes {
        &self.unknown
    }

    fn read_attributes(&mut self) -> Result<(), ParseError> {
        let mut at = HEADER_BYTES;
        while at < self.bytes.len() {
            if self.has_fingerprint {
                return Err(ParseError::Attribute);
            }
            let (Some(kind), Some(length)) = (u16_at(self.bytes, at), u16_at(self.bytes, at + 2)) else {
                return Err(ParseError::Attribute);
            };
            let start = at + 4;
            let value = self.bytes.get(start..start + usize::from(length)).ok_or(ParseError::Attribute)?;
            if kind == attribute::FINGERPRINT {
                self.check_fingerprint(at, value)?;
            } else if self.integrity.is_none() {
                self.read_attribute(kind, value, at).ok_or(ParseError::Attribute)?;
            }
            at = start + usize::from(length).next_multiple_of(4);
        }
        Ok(())
    }

    /// `None`: the value cannot be one of this kind.
    fn read_attribute(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            attribute::USERNAME => first(&mut self.username, bounded(value, USERNAME_BYTES_MAX)?),
            attribute::SOFTWARE => first(&mut self.software, bounded(value, SOFTWARE_BYTES_MAX)?),
            attribute::PRIORITY => first(&mut self.priority, number(value)?),
            attribute::NOMINATION | attribute::NOMINATION_OLD => {
                first(&mut self.nomination, number(value)?);
            }
            attribute::USE_CANDIDATE => {
                bounded(value, 0)?;
                self.use_candidate = true;
            }
            attribute::ICE_CONTROLLED => first(&mut self.controlled, long_number(value)?),
            attribute::ICE_CONTROLLING => first(&mut self.controlling, long_number(value)?),
            attribute::XOR_MAPPED_ADDRESS => {
                first(&mut self.mapped_address, xor_address(value, &self.transaction)?);
            }
            attribute::ERROR_CODE => first(&mut self.error_code, error_code(value)?),
            attribute::MESSAGE_INTEGRITY => {
                (value.len() == INTEGRITY_BYTES).then_some(())?;
                self.integrity = Some(at);
            }
            attribute::UNKNOWN_ATTRIBUTES => {}
            kind if kind < COMPREHENSION_OPTIONAL => self.unknown.add(kind),
            _ => {}
        }
        Some(())
    }

    fn check_fingerprint(&mut self, at: usize, value: &[u8]) -> Result<(), ParseError> {
        let claimed = number(value).ok_or(ParseError::Attribute)?;
        let covered = self.bytes.get(..at).ok_or(ParseError::Attribute)?;
        if claimed != integrity::fingerprint(covered) {
            return Err(ParseError::Fingerprint);
        }
        self.has_fingerprint = true;
        Ok(())
    }
}

impl Class {
    /// The class bits are the fifth and the ninth of the type.
    const fn of(kind: u16) -> Self {
        match (kind >> 7 & 2) | (kind >> 4 & 1) {
            0 => Self::Request,
            1 => Self::Indication,
            2 => Self::Success,
            _ => Self::Error,
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0,
            Self::Indication => 0x010,
            Self::Success => 0x100,
            Self::Error => 0x110,
        }
    }
}

impl UnknownAttributes {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that are named, at most [`UNKNOWN_NAMED_MAX`].
    pub fn types(&self) -> &[u16] {
        self.types.get(..self.count).unwrap_or_default()
    }

    fn add(&mut self, kind: u16) {
        if let Some(place) = self.types.get_mut(self.count) {
            *place = kind;
            self.count += 1;
        }
    }
}

/// The twelve bits of a type that are not its class.
const fn method_of(kind: u16) -> u16 {
    (kind & 0x000F) | (kind >> 1 & 0x0070) | (kind >> 2 & 0x0F80)
}

const fn type_of(class: Class, method: u16) -> u16 {
    (method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | class.bits()
}

fn first<T>(place: &mut Option<T>, value: T) {
    place.get_or_insert(value);
}

fn bounded(value: &[u8], bytes_max: usize) -> Option<&[u8]> {
    (value.len() <= bytes_max).then_some(value)
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

fn long_number(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// RFC 8489 14.2: port and address, hidden from rewriting middleboxes by the cookie and the transaction.
fn xor_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let port = u16_at(value, 2)? ^ PORT_MASK;
    let ip = match (value.get(1)?, value.get(4..)?) {
        (1, address) => {
            let address: [u8; 4] = address.try_into().ok()?;
            IpAddr::V4(Ipv4Addr::from(u32::from_be_bytes(address) ^ u32::from_be_bytes(MAGIC_COOKIE)))
        }
        (2, address) => {
            let address: [u8; 16] = address.try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(u128::from_be_bytes(address) ^ address_mask(transaction)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// What an IPv6 address is combined with.
fn address_mask(transaction: &TransactionId) -> u128 {
    let mut mask = [0; 16];
    let (cookie, rest) = mask.split_at_mut(MAGIC_COOKIE.len());
    cookie.copy_from_slice(&MAGIC_COOKIE);
    rest.copy_from_slice(transaction);
    u128::from_be_bytes(mask)
}

/// RFC 8489 14.8.
fn error_code(value: &[u8]) -> Option<u16> {
    match value {
        [_, _, class, number, ..] if (3..=6).contains(&(class & 7)) && *number < 100 => {
            Some(u16::from(class & 7) * 100 + u16::from(*number))
        }
        _ => None,
    }
}

/// Numbers of attributes (RFC 8489 18.3, RFC 8445 16.1, and NOMINATION from draft-thatcher-ice-renomination).
mod attribute {
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    /// The registered number.
    pub(super) const NOMINATION: u16 = 0x0030;
    pub(super) const SOFTWARE: u16 = 0x8022;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
    pub(super) const ICE_CONTROLLING: u16 = 0x802A;
    /// What browsers sent before it was registered.
    pub(super) const NOMINATION_OLD: u16 = 0xC001;
}

/// The one method of ICE (RFC 8489 3).
pub const BINDING: u16 = 0x001;
/// Bytes before the first attribute.
pub const HEADER_BYTES: usize = 20;
/// Longest USERNAME that is taken (RFC 8489 14.3: fewer than 509 bytes after preparation, and the field's 513).
pub const USERNAME_BYTES_MAX: usize = 513;
/// Longest SOFTWARE (RFC 8489 14.14: fewer than 128 characters, which are up to 763 bytes).
pub const SOFTWARE_BYTES_MAX: usize = 763;
/// So many unknown attributes are named in an answer.
pub const UNKNOWN_NAMED_MAX: usize = 4;

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// The upper half of the cookie.
const PORT_MASK: u16 = 0x2112;
const INTEGRITY_BYTES: usize = 20;
/// Attributes from here on may be passed over.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;
