//! ClientHello and ServerHello of DTLS 1.2: what is offered and what is chosen (RFC 5246, section 7.4.1).
//!
//! Knows messages' bodies. Does not know where a handshake stands.

use super::peer_key::{ECDSA_SHA256, RSA_PKCS1_SHA256};
use super::secrets::Group;
use crate::dtls::wire::{self, Reader};
use crate::dtls::{Failure, SrtpProfile};

/// What a client offers, as far as it matters to us.
#[derive(Debug)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    /// The client's first group that we have.
    pub(super) group: Option<Group>,
    pub(super) srtp: Option<SrtpProfile>,
    has_our_suite: bool,
    has_extended_master_secret: bool,
    has_ecdsa: bool,
    /// It speaks of RFC 5746, so the answer does.
    pub(super) knows_renegotiation: bool,
    pub(super) lists_point_formats: bool,
}

/// What a server chose.
#[derive(Debug)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) suite: Suite,
    pub(super) srtp: SrtpProfile,
}

/// The suites of RFC 8827, section 6.5: with either kind of certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    EcdheEcdsa,
    EcdheRsa,
}

impl Suite {
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    pub(super) fn id(self) -> u16 {
        match self {
            Self::EcdheEcdsa => 0xC02B,
            Self::EcdheRsa => 0xC02F,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EcdheEcdsa => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsa => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        }
    }
}

impl ClientHello {
    /// `None` when it is none.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        // RFC 6347: the greatest version of the client; below 1.2 its suites tell, too.
        reader.u16()?;
        let random = reader.array()?;
        reader.vector8()?; // session id: nothing is resumed
        reader.vector8()?; // cookie: none was asked for
        let suites = reader.vector16()?;
        reader.vector8()?; // compression: none is always among them
        let has = |suite: u16| wire::numbers(suites).any(|offered| offered == suite);
        let mut hello = Self {
            random,
            group: None,
            srtp: None,
            has_our_suite: has(Suite::EcdheEcdsa.id()),
            has_extended_master_secret: false,
            has_ecdsa: false,
            knows_renegotiation: has(RENEGOTIATION_SCSV),
            lists_point_formats: false,
        };
        let block = if reader.end().is_some() { &[] } else { reader.vector16()? };
        for extension in wire::extensions(block) {
            let (kind, body) = extension?;
            hello.read_extension(kind, body)?;
        }
        Some(hello)
    }

    fn read_extension(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        let mut reader = Reader(body);
        match kind {
            SUPPORTED_GROUPS => self.group = wire::numbers(reader.vector16()?).find_map(Group::of),
            SIGNATURE_ALGORITHMS => {
                self.has_ecdsa = wire::numbers(reader.vector16()?).any(|scheme| scheme == ECDSA_SHA256);
            }
            USE_SRTP => {
                let offered = reader.vector16()?;
                let has = |profile: &SrtpProfile| wire::numbers(offered).any(|id| id == profile.id());
                self.srtp = SrtpProfile::ALL.into_iter().find(has);
            }
            POINT_FORMATS => self.lists_point_formats = true,
            EXTENDED_MASTER_SECRET => self.has_extended_master_secret = true,
            RENEGOTIATION_INFO => self.knows_renegotiation = true,
            _ => {}
        }
        Some(())
    }

    /// What a server of ours and this client agree on.
    pub(super) fn agreement(&self) -> Result<(Group, SrtpProfile), Failure> {
        if !self.has_our_suite || !self.has_ecdsa {
            return Err(Failure::Refused("the client offers no ECDHE-ECDSA with AES-128-GCM and SHA-256"));
        }
        if !self.has_extended_master_secret {
            return Err(Failure::Refused("the client does not offer the extended master secret (RFC 7627)"));
        }
        let group = self.group.ok_or(Failure::Refused("the client offers neither X25519 nor P-256"))?;
        Ok((group, self.srtp.ok_or(Failure::NoSrtp)?))
    }
}

/// The body of a ClientHello of ours: it suits servers with either kind of certificate.
pub(super) fn write_client_hello(random: &[u8; 32], cookie: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(160);
    body.extend_from_slice(&VERSION);
    body.extend_from_slice(random);
    body.push(0); // session id
    push_vector8(&mut body, cookie);
    push_numbers(&mut body, &[Suite::EcdheEcdsa.id(), Suite::EcdheRsa.id()]);
    body.extend_from_slice(&[1, 0]); // compression: none
    let mut extensions = Vec::with_capacity(80);
    let mut list = Vec::new();
    push_numbers(&mut list, &Group::ALL.map(Group::id));
    push_extension(&mut extensions, SUPPORTED_GROUPS, &list);
    push_extension(&mut extensions, POINT_FORMATS, &UNCOMPRESSED);
    list.clear();
    push_numbers(&mut list, &SIGNATURE_SCHEMES);
    push_extension(&mut extensions, SIGNATURE_ALGORITHMS, &list);
    list.clear();
    push_numbers(&mut list, &SrtpProfile::ALL.map(SrtpProfile::id));
    list.push(0); // no MKI
    push_extension(&mut extensions, USE_SRTP, &list);
    push_extension(&mut extensions, EXTENDED_MASTER_SECRET, &[]);
    push_extension(&mut extensions, RENEGOTIATION_INFO, &[0]);
    push_vector16(&mut body, &extensions);
    body
}

/// The body of a ServerHello of ours.
pub(super) fn write_server_hello(random: &[u8; 32], client: &ClientHello, srtp: SrtpProfile) -> Vec<u8> {
    let mut body = Vec::with_capacity(80);
    body.extend_from_slice(&VERSION);
    body.extend_from_slice(random);
    body.push(0); // session id
    body.extend_from_slice(&Suite::EcdheEcdsa.id().to_be_bytes());
    body.push(0); // compression: none
    let mut extensions = Vec::with_capacity(32);
    if client.knows_renegotiation {
        push_extension(&mut extensions, RENEGOTIATION_INFO, &[0]);
    }
    if client.lists_point_formats {
        push_extension(&mut extensions, POINT_FORMATS, &UNCOMPRESSED);
    }
    push_extension(&mut extensions, EXTENDED_MASTER_SECRET, &[]);
    let mut list = Vec::new();
    push_numbers(&mut list, &[srtp.id()]);
    list.push(0); // no MKI
    push_extension(&mut extensions, USE_SRTP, &list);
    push_vector16(&mut body, &extensions);
    body
}

impl ServerHello {
    /// The outer error: it is none. The inner: it chose what we did not offer.
    pub(super) fn parse(body: &[u8]) -> Option<Result<Self, Failure>> {
        let mut reader = Reader(body);
        let version = reader.array::<2>()?;
        let random = reader.array()?;
        reader.vector8()?; // session id
        let suite = reader.u16()?;
        reader.u8()?; // compression
        let block = if reader.end().is_some() { &[] } else { reader.vector16()? };
        let (mut srtp, mut has_extended_master_secret) = (None, false);
        for extension in wire::extensions(block) {
            match extension? {
                (EXTENDED_MASTER_SECRET, _) => has_extended_master_secret = true,
                (USE_SRTP, body) => {
                    let chosen = wire::numbers(Reader(body).vector16()?).next()?;
                    srtp = SrtpProfile::ALL.into_iter().find(|profile| profile.id() == chosen);
                }
                _ => {}
            }
        }
        let suite = [Suite::EcdheEcdsa, Suite::EcdheRsa].into_iter().find(|known| known.id() == suite);
        Some(match (suite, srtp) {
            _ if version != VERSION => Err(Failure::Refused("the server does not speak DTLS 1.2")),
            (None, _) => Err(Failure::Refused("the server chose a cipher suite that was not offered")),
            (Some(_), _) if !has_extended_master_secret => {
                Err(Failure::Refused("the server does not use the extended master secret (RFC 7627)"))
            }
            (Some(_), None) => Err(Failure::NoSrtp),
            (Some(suite), Some(srtp)) => Ok(Self { random, suite, srtp }),
        })
    }
}

pub(super) fn push_vector8(out: &mut Vec<u8>, body: &[u8]) {
    // All of ours are short; a cookie came as such a vector.
    out.push(u8::try_from(body.len()).unwrap_or(0));
    out.extend_from_slice(body);
}

pub(super) fn push_vector16(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(body);
}

/// A list of numbers, with its length in bytes before it.
pub(super) fn push_numbers(out: &mut Vec<u8>, numbers: &[u16]) {
    out.extend_from_slice(&u16::try_from(2 * numbers.len()).unwrap_or(0).to_be_bytes());
    out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

fn push_extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    push_vector16(out, body);
}

/// What we take as a peer's signature.
pub(super) const SIGNATURE_SCHEMES: [u16; 2] = [ECDSA_SHA256, RSA_PKCS1_SHA256];
const VERSION: [u8; 2] = [0xFE, 0xFD];
const UNCOMPRESSED: [u8; 2] = [1, 0];
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const USE_SRTP: u16 = 14;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RENEGOTIATION_INFO: u16 = 0xFF01;
/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746).
const RENEGOTIATION_SCSV: u16 = 0x00FF;
