//! The tests that `tests/DEFECTS.md` names are there.
//!
//! Knows names in backquotes of the form `path/of/file.rs::name`. Called by `tidy.rs`.
//! Invariant: a test that is renamed or removed takes its line in the table along.

use crate::source::{TextFile, Violation};

/// Names in `table` of which no file of `files` has a function.
pub(crate) fn check(table: &TextFile, files: &[TextFile]) -> Vec<Violation> {
    let lines = (1..).zip(table.text.lines());
    let named =
        lines.flat_map(|(line, text)| text.split('`').skip(1).step_by(2).map(move |name| (line, name)));
    let named = named.filter_map(|(line, name)| Some((line, name.split_once(".rs::")?)));
    let missing = named.filter(|(_, (path, test))| {
        let file = files.iter().find(|file| file.path.strip_suffix(".rs") == Some(path));
        file.is_none_or(|file| !file.text.contains(&format!("fn {test}(")))
    });
    missing
        .map(|(line, (path, test))| Violation {
            path: table.path.clone(),
            line,
            message: format!("`{path}.rs` has no function `{test}`: name the test that holds this defect"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn names_that_lead_nowhere_are_found() {
        let table = file("t.md", "| 1 | x | `a.rs::there`, `a.rs::gone` |\n| 2 | `word` | `b.rs::there` |\n");
        let found = check(&table, &[file("a.rs", "#[test]\nfn there() {}\n")]);
        let lines: Vec<_> =
            found.iter().map(|violation| (violation.line, violation.message.as_str())).collect();
        assert!(
            matches!(&lines[..], [(1, gone), (2, other)] if gone.contains("gone") && other.contains("b.rs"))
        );
    }
}
