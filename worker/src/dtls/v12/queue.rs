//! Short datagrams one behind the other in one allocation, which goes when it was large and is empty.

/// First in, first out.
#[derive(Default)]
pub(super) struct Queue {
    /// Each datagram after its length in two bytes.
    bytes: Vec<u8>,
    read: usize,
}

impl Queue {
    /// False when there is no room for it.
    pub(super) fn push(&mut self, datagram: &[u8]) -> bool {
        let Ok(length) = u16::try_from(datagram.len()) else { return false };
        if self.bytes.len() + datagram.len() > QUEUED_BYTES_MAX {
            return false;
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// Copies the next one; those that `buffer` cannot hold are lost.
    pub(super) fn pop(&mut self, buffer: &mut [u8]) -> Option<usize> {
        while let Some(length) = self.bytes.get(self.read..).and_then(|rest| rest.first_chunk::<2>()) {
            let start = self.read + 2;
            let end = start + usize::from(u16::from_be_bytes(*length));
            self.read = end;
            let copied = self.bytes.get(start..end).zip(buffer.get_mut(..end - start));
            if let Some((datagram, place)) = copied {
                place.copy_from_slice(datagram);
                return Some(end - start);
            }
        }
        self.read = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        None
    }
}

/// What may wait before it is polled.
const QUEUED_BYTES_MAX: usize = 64 * 1024;
/// Data channels need no allocation for each message.
const KEPT_BYTES: usize = 4 * 1024;
