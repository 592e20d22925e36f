//! Reads what callgrind counted: instructions of a whole run.
//!
//! Called by the `memory` program.

/// The instructions of the run that wrote `text`, a `callgrind.out` file; `None` if it holds no sum.
pub fn instructions(text: &str) -> Option<u64> {
    let sum = |prefix: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(prefix))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    sum("totals:").or_else(|| sum("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found() {
        assert_eq!(instructions("version: 1\nevents: Ir\nfn=(1)\n12 34\ntotals: 123456\n"), Some(123_456));
        assert_eq!(instructions("summary: 99\n"), Some(99));
        assert_eq!(instructions("events: Ir\n"), None);
    }
}
