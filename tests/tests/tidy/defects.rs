//! The tests that `tests/DEFECTS.md` names are there.
//!
//! Knows names in backquotes of the form `path/of/file.rs::name`, and of `::name` for another one of that file. Called by `tidy.rs`.
//! Invariant: a test that is renamed or removed takes its line in the table along.

use crate::source::{TextFile, Violation};

/// Names in `table` of which no file of `files` has a function.
pub(crate) fn check(table: &TextFile, files: &[TextFile]) -> Vec<Violation> {
    let missing = names(&table.text).into_iter().filter(|(_, path, test)| {
        let file = files.iter().find(|file| file.path == *path);
        file.is_none_or(|file| !file.text.contains(&format!("fn {test}(")))
    });
    missing
        .map(|(line, path, test)| Violation {
            path: table.path.clone(),
            line,
            message: format!("`{path}` has no function `{test}`: name the test that holds this defect"),
        })
        .collect()
}

/// Each named test: its line, its file, its function.
fn names(table: &str) -> Vec<(usize, &str, &str)> {
    let mut named = Vec::new();
    for (line, text) in (1..).zip(table.lines()).filter(|(_, text)| text.starts_with('|')) {
        let mut file = "";
        for name in text.split('`').skip(1).step_by(2) {
            let Some((path, test)) =
                name.split_once("::").filter(|(path, _)| path.is_empty() || path.ends_with(".rs"))
            else {
                continue;
            };
            file = if path.is_empty() { file } else { path };
            named.push((line, file, test));
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn names_that_lead_nowhere_are_found() {
        let table = file("t.md", "| 1 | x | `a.rs::there`, `::gone` |\n| 2 | `word` | `b.rs::there` |\n");
        let found = check(&table, &[file("a.rs", "#[test]\nfn there() {}\n")]);
        let lines: Vec<_> =
            found.iter().map(|violation| (violation.line, violation.message.as_str())).collect();
        assert!(
            matches!(&lines[..], [(1, gone), (2, other)] if gone.contains("gone") && other.contains("b.rs"))
        );
    }
}
