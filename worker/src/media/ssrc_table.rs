//! Whose an SSRC is, for SSRCs that we chose ourselves.
//!
//! A sorted list: small, without slack, and its keys are chosen by the host, so that no peer can make it slow. (What a
//! peer may choose is in `demux`.) A transport finds in it whose feedback a received report is.

/// SSRCs, each with its owner.
#[derive(Debug)]
pub(crate) struct SsrcTable<K>(Vec<(u32, K)>);

impl<K: Copy + PartialEq> SsrcTable<K> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn get(&self, ssrc: u32) -> Option<K> {
        let index = self.0.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc).ok()?;
        self.0.get(index).map(|(_, owner)| *owner)
    }

    /// Adds an SSRC; an owner that it had is replaced.
    pub(crate) fn insert(&mut self, ssrc: u32, owner: K) {
        match self.0.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            Ok(index) => {
                if let Some((_, known)) = self.0.get_mut(index) {
                    *known = owner;
                }
            }
            Err(index) => {
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(index, (ssrc, owner));
            }
        }
    }

    /// Forgets an owner's SSRCs.
    pub(crate) fn remove(&mut self, owner: K) {
        self.0.retain(|(_, other)| *other != owner);
        if self.0.len() * 4 <= self.0.capacity() {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, K)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ssrc_is_found_until_its_owner_goes() {
        let mut table = SsrcTable::new();
        for (ssrc, owner) in [(9, 'a'), (3, 'b'), (7, 'b'), (5, 'a')] {
            table.insert(ssrc, owner);
        }
        assert_eq!(table.iter().map(|(ssrc, _)| ssrc).collect::<Vec<_>>(), [3, 5, 7, 9]);
        table.remove('a');
        assert_eq!([3, 5, 7, 9].map(|ssrc| table.get(ssrc)), [Some('b'), None, Some('b'), None]);
        table.remove('b');
        assert_eq!(table.0.capacity(), 0, "an empty table holds no memory");
    }
}
