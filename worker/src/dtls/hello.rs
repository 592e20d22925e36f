//! Which engine a ClientHello is for: looks at it whole, however many datagrams it came in.
//!
//! Knows `supported_versions`. Does not know engines. Called by [`super::Dtls`] as a server, before there is an engine.

use super::reassembly::Reassembly;
use super::wire::{self, CLIENT_HELLO, HANDSHAKE, Reader};

/// A ClientHello that is coming in.
#[derive(Debug, Default)]
pub(super) struct Hello {
    reassembly: Reassembly,
}

impl Hello {
    /// Takes a datagram; once the ClientHello is whole, whether it offers DTLS 1.3.
    pub(super) fn offers_dtls13(&mut self, datagram: &[u8]) -> Option<bool> {
        let records =
            wire::records(datagram).filter(|record| record.content == HANDSHAKE && record.epoch == 0);
        for fragment in records.flat_map(|record| wire::fragments(record.body)) {
            if fragment.kind == CLIENT_HELLO {
                self.reassembly.insert(&fragment, FIRST);
            }
        }
        self.reassembly.take(FIRST).map(|message| offers(&message.body).unwrap_or(false))
    }
}

/// `None` when it is no ClientHello: an engine will say what is wrong with it.
fn offers(body: &[u8]) -> Option<bool> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.vector8()?; // session id
    reader.vector8()?; // cookie
    reader.vector16()?; // cipher suites
    reader.vector8()?; // compression methods
    let versions = wire::extensions(reader.vector16()?).flatten().find(|found| found.0 == SUPPORTED_VERSIONS);
    let mut versions = Reader(versions.map_or(&[], |found| found.1));
    Some(versions.vector8().is_some_and(|list| wire::numbers(list).any(|version| version == DTLS13)))
}

/// A client begins with message 0, and begins anew with it.
const FIRST: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;
const DTLS13: u16 = 0xFEFC;
