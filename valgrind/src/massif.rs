//! Reads what massif writes: heap sizes over time.
//!
//! Knows the text format of `massif.out` (ms_print reads the same). Called by the `memory` program.

/// The sizes of the heap over a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// In the order of time.
    pub snapshots: Vec<Snapshot>,
}

/// The heap at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Milliseconds.
    pub time: u64,
    /// Bytes that the program asked for.
    pub heap_bytes: u64,
    /// What the allocator adds to them.
    pub extra_bytes: u64,
}

impl Snapshot {
    /// Both together.
    pub const fn bytes(&self) -> u64 {
        self.heap_bytes + self.extra_bytes
    }
}

impl Profile {
    /// Reads the content of a `massif.out` file; lines of no interest are skipped.
    pub fn parse(text: &str) -> Self {
        let mut snapshots = Vec::new();
        let mut current = Snapshot::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.parse().unwrap_or(0);
            match name {
                "time" => current.time = value,
                "mem_heap_B" => current.heap_bytes = value,
                "mem_heap_extra_B" => current.extra_bytes = value,
                "heap_tree" => snapshots.push(std::mem::take(&mut current)),
                _ => {}
            }
        }
        Self { snapshots }
    }

    /// The highest heap, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.snapshots.iter().map(Snapshot::bytes).max().unwrap_or(0)
    }

    /// The heap shortly before the end, in bytes: the process's own cleaning up at its end does not count.
    pub fn closed_bytes(&self) -> u64 {
        let end = self.snapshots.last().map_or(0, |snapshot| snapshot.time);
        let before = self.snapshots.iter().rev().find(|snapshot| snapshot.time + END_MS <= end);
        before.map_or(0, Snapshot::bytes)
    }

    /// Time and bytes, for a plot.
    pub fn csv(&self) -> String {
        let line = |snapshot: &Snapshot| {
            format!("{},{},{}\n", snapshot.time, snapshot.heap_bytes, snapshot.extra_bytes)
        };
        let mut csv = "time,heap_bytes,extra_bytes\n".to_owned();
        csv.extend(self.snapshots.iter().map(line));
        csv
    }
}

/// Closing and leaving take less, even under massif.
const END_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "desc: (none)\ncmd: w\ntime_unit: ms\n#-----------\nsnapshot=0\n#-----------\ntime=0\n\
        mem_heap_B=0\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=empty\n#-----------\nsnapshot=1\n#-----------\n\
        time=120\nmem_heap_B=5000\nmem_heap_extra_B=24\nmem_stacks_B=0\nheap_tree=peak\nn1: 5000 in here\n\
        #-----------\nsnapshot=2\n#-----------\ntime=300\nmem_heap_B=100\nmem_heap_extra_B=8\nmem_stacks_B=0\n\
        heap_tree=empty\n";

    #[test]
    fn peak_and_end_are_found() {
        let profile = Profile::parse(TEXT);
        assert_eq!(profile.snapshots.len(), 3);
        assert_eq!((profile.peak_bytes(), profile.closed_bytes()), (5_024, 5_024));
        assert!(profile.csv().ends_with("300,100,8\n"));
    }
}
