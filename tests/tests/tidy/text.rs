//! Rules for every text of the tree: module docs, owners of open work, no paths of one machine.
//!
//! The words that are looked for are put together from pieces, so that this file does not contain them.
//! Knows lines. Called by `tidy.rs`. Invariant: a line is reported once a rule.

use crate::source::{TextFile, Violation};

/// What is wrong with `file`.
pub(crate) fn check(file: &TextFile) -> Vec<Violation> {
    let violation = |(line, message): (usize, String)| Violation { path: file.path.clone(), line, message };
    let mut found = Vec::new();
    if file.path.ends_with(".rs") && !file.text.starts_with("//!") {
        let message =
            "begin with `//!`: why this file exists, what it knows, what it must not know, its invariant";
        found.push(violation((1, message.to_owned())));
    }
    for (line, number) in file.text.lines().zip(1..) {
        let open_work = open_work_without_owner(line).map(|word| {
            format!("`{word}` without an owner: write `{word}(name): what`, or do it now, or file an issue")
        });
        let machine_path = machine_path(line).map(|path| {
            format!(
                "`{path}…` is a path of one machine: derive it from the environment, or describe the place"
            )
        });
        found.extend(open_work.into_iter().chain(machine_path).map(|message| violation((number, message))));
    }
    found
}

/// A mark of open work that no name in parentheses follows.
fn open_work_without_owner(line: &str) -> Option<String> {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    marks.into_iter().find(|mark| {
        let mut places = line.match_indices(mark.as_str());
        places.any(|(at, _)| {
            let after = &line[at + mark.len()..];
            is_word_edge(line, at) && !after.starts_with(is_word_character) && !has_owner(after)
        })
    })
}

fn has_owner(after: &str) -> bool {
    let inner = after.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(name, _)| name.trim());
    inner.is_some_and(|name| !name.is_empty())
}

/// A path below somebody's home, a temporary or a work directory at the root of the file system.
fn machine_path(line: &str) -> Option<String> {
    let tops = ["home", "root", "tmp", "work"].map(|top| format!("/{top}/"));
    tops.into_iter().find(|top| line.match_indices(top.as_str()).any(|(at, _)| begins_a_path(line, at)))
}

/// Whether a `/` at `at` is the first of a path, not one in the middle (`https://host/work/…`, `../tmp/…`).
fn begins_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| is_word_character(c) || ".~}-/*".contains(c))
}

fn is_word_edge(line: &str, at: usize) -> bool {
    !line[..at].ends_with(is_word_character)
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&file).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn rust_without_a_module_doc() {
        assert_eq!(lines("worker/src/a.rs", "use x;\n"), [1]);
        assert_eq!(lines("worker/src/a.rs", "//! Why.\nuse x;\n"), []);
        assert_eq!(lines("README.md", "# x\n"), []);
    }

    #[test]
    fn open_work_without_an_owner() {
        let mark = ["TO", "DO"].concat();
        assert_eq!(lines("a.md", &format!("x\n{mark}: later\n")), [2]);
        assert_eq!(lines("a.md", &format!("{mark}(): later\n")), [1]);
        assert_eq!(lines("a.md", &format!("{mark}(ann): later\nMAS{mark}N\n")), []);
        assert_eq!(lines("a.sh", &["# FIX", "ME now"].concat()), [1]);
    }

    #[test]
    fn paths_of_one_machine() {
        for top in ["home", "root", "tmp", "work"] {
            assert_eq!(lines("a.toml", &format!("a = \"/{top}/x\"")), [1], "{top}");
            assert_eq!(lines("a.toml", &format!("a = \"https://example.org/{top}/x\"")), [], "{top}");
        }
        assert_eq!(lines("a.rs", "//! x\nlet a = \"../tmp/x\"; let b = dir + \"net/work/y\";"), []);
    }
}
