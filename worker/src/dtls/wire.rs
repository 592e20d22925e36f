//! Records, handshake fragments and the vectors inside them: bytes to values (RFC 6347, section 4; RFC 5246, section 4).
//!
//! Knows lengths. Does not know what messages mean. Invariant: nothing is read beyond what is there.

/// Reads big-endian numbers and length-prefixed vectors; every read says whether there was enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        self.array::<3>().map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    /// A vector whose length is one byte.
    pub(super) fn vector8(&mut self) -> Option<&'b [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// A vector whose length is two bytes.
    pub(super) fn vector16(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// A vector whose length is three bytes.
    pub(super) fn vector24(&mut self) -> Option<&'b [u8]> {
        let length = self.u24()?;
        self.take(length)
    }

    /// `Some` when all was read.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The two-byte numbers of a list; an odd byte at its end is not one.
pub(super) fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

/// What the body of a hello's extensions says, by type; `None` when it is malformed.
pub(super) fn extensions(block: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    let mut reader = Reader(block);
    std::iter::from_fn(move || {
        reader.end().is_none().then(|| {
            let read = reader.u16().zip(reader.vector16());
            if read.is_none() {
                reader.0 = &[];
            }
            read
        })
    })
}

/// A DTLS 1.2 record as it was received. DTLS 1.3 has it in epoch 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'b> {
    pub(super) content: u8,
    pub(super) epoch: u16,
    /// 48 bits.
    pub(super) sequence: u64,
    pub(super) body: &'b [u8],
}

/// The records of a datagram; ends at the first thing that is none.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut reader = Reader(datagram);
    std::iter::from_fn(move || {
        let content = reader.u8()?;
        let [major, _] = reader.array()?;
        let epoch = reader.u16()?;
        let [a, b, c, d, e, f] = reader.array()?;
        let sequence = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let body = reader.vector16()?;
        (major == VERSION_MAJOR).then_some(Record { content, epoch, sequence, body })
    })
}

/// A piece of a handshake message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'b> {
    pub(super) kind: u8,
    /// Of the whole message.
    pub(super) length: usize,
    pub(super) sequence: u16,
    pub(super) offset: usize,
    pub(super) body: &'b [u8],
}

/// The fragments in a handshake record's body; ends at the first thing that is none.
pub(super) fn fragments(body: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut reader = Reader(body);
    std::iter::from_fn(move || {
        let kind = reader.u8()?;
        let length = reader.u24()?;
        let sequence = reader.u16()?;
        let offset = reader.u24()?;
        let body = reader.vector24()?;
        (offset + body.len() <= length).then_some(Fragment { kind, length, sequence, offset, body })
    })
}

/// Whether working on a datagram may take public-key arithmetic: it holds the end of a handshake message, or something
/// encrypted, which while shaking hands is Finished or all of DTLS 1.3.
pub(super) fn may_be_costly(datagram: &[u8]) -> bool {
    let is_dtls13_ciphertext = datagram.first().is_some_and(|first| first & 0xE0 == 0x20);
    is_dtls13_ciphertext
        || records(datagram).any(|record| {
            let ends = |fragment: Fragment<'_>| fragment.offset + fragment.body.len() == fragment.length;
            record.content == HANDSHAKE && (record.epoch > 0 || fragments(record.body).any(ends))
        })
}

/// Whether the datagram begins with what a server says first: ServerHello, HelloRetryRequest or HelloVerifyRequest.
pub(super) fn is_server_answer(datagram: &[u8]) -> bool {
    let first = records(datagram).next().filter(|record| record.content == HANDSHAKE && record.epoch == 0);
    let kind = first.and_then(|record| fragments(record.body).next()).map(|fragment| fragment.kind);
    matches!(kind, Some(SERVER_HELLO | HELLO_VERIFY_REQUEST))
}

/// The description of a fatal alert that nothing protects, if the datagram begins with one.
pub(super) fn plain_fatal_alert(datagram: &[u8]) -> Option<u8> {
    match records(datagram).next() {
        Some(Record { content: ALERT, epoch: 0, body: [ALERT_FATAL, description], .. }) => Some(*description),
        _ => None,
    }
}

/// Whether the datagram begins with an alert that nothing protects.
pub(super) fn is_plain_alert(datagram: &[u8]) -> bool {
    matches!(records(datagram).next(), Some(Record { content: ALERT, epoch: 0, .. }))
}

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
pub(super) const ALERT_FATAL: u8 = 2;
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const HELLO_VERIFY_REQUEST: u8 = 3;
/// `0xFEFD` is DTLS 1.2; the first records of a ClientHello may say `0xFEFF`.
const VERSION_MAJOR: u8 = 0xFE;
