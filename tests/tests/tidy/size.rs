//! Long files and functions, as a ratchet: those on record may only shrink, and no new ones may appear.
//!
//! `tests/tidy-ratchet.toml` records what was long when it was written. A record that is too large (the thing
//! shrank) is a violation too: otherwise it could quietly grow back.
//! Knows tokens and lines. Called by `tidy.rs`.
//! Invariant: after a run without violations every record equals what is there.

use std::collections::BTreeMap;

use crate::source::{Kind, Source, Violation};

/// The sizes on record, in lines.
#[derive(Debug, Default)]
pub(crate) struct Ratchet {
    files: BTreeMap<String, usize>,
    /// Keys are `path/of/file.rs name`.
    functions: BTreeMap<String, usize>,
}

impl Ratchet {
    /// Reads the record: two tables, `[files]` and `[functions]`.
    pub(crate) fn parse(text: &str) -> Self {
        let table: toml::Table = text.parse().expect("tests/tidy-ratchet.toml is TOML");
        let sizes = |name: &str| {
            let entries = table.get(name).and_then(toml::Value::as_table).into_iter().flatten();
            let size = |value: &toml::Value| value.as_integer().and_then(|lines| usize::try_from(lines).ok());
            entries
                .map(|(key, value)| (key.clone(), size(value).expect("sizes are numbers of lines")))
                .collect()
        };
        Self { files: sizes("files"), functions: sizes("functions") }
    }
}

/// What outgrew its limit or its record, and records that are out of date.
pub(crate) fn check(sources: &[Source], ratchet: &Ratchet) -> Vec<Violation> {
    let files =
        sources.iter().map(|source| Measured { key: source.path.clone(), line: 1, lines: source.lines });
    let functions = sources.iter().flat_map(functions);
    let mut found = compare(files, FILE_LINES_MAX, &ratchet.files, "split it by concern, tests first");
    found.extend(compare(functions, FUNCTION_LINES_MAX, &ratchet.functions, "give its parts names"));
    found
}

/// Something with a size.
#[derive(Debug)]
struct Measured {
    key: String,
    line: usize,
    lines: usize,
}

fn compare(
    measured: impl Iterator<Item = Measured>,
    limit: usize,
    record: &BTreeMap<String, usize>,
    advice: &str,
) -> Vec<Violation> {
    let mut left = record.clone();
    let mut found = Vec::new();
    // Functions of one name in one file share a record: the longest of them has to fit.
    let mut longest: BTreeMap<String, Measured> = BTreeMap::new();
    for item in measured.filter(|item| item.lines > limit) {
        match longest.get(&item.key) {
            Some(known) if known.lines >= item.lines => {}
            _ => drop(longest.insert(item.key.clone(), item)),
        }
    }
    for (key, item) in longest {
        let Measured { line, lines, .. } = item;
        let message = match left.remove(&key) {
            None => format!("`{key}` has {lines} lines, more than {limit}: {advice}"),
            Some(most) if lines > most => format!("`{key}` grew from {most} to {lines} lines: {advice}"),
            Some(most) if lines < most => {
                format!("`{key}` shrank from {most} to {lines} lines: record that in tests/tidy-ratchet.toml")
            }
            Some(_) => continue,
        };
        found.push(Violation { path: path_of(&key), line, message });
    }
    found.extend(left.into_keys().map(|key| Violation {
        path: path_of(&key),
        line: 1,
        message: format!("`{key}` is short now, or gone: take it out of tests/tidy-ratchet.toml"),
    }));
    found
}

fn path_of(key: &str) -> String {
    key.split(' ').next().unwrap_or_default().to_owned()
}

/// Every function with a body, from the line of `fn` to that of its last brace.
fn functions(source: &Source) -> Vec<Measured> {
    let mut found = Vec::new();
    for at in 0..source.tokens.len() {
        let (Some("fn"), Some(name)) = (source.ident(at), source.ident(at + 1)) else { continue };
        let Some(end) = end_of_body(source, at) else { continue };
        let line = source.tokens[at].line;
        found.push(Measured { key: format!("{} {name}", source.path), line, lines: end - line + 1 });
    }
    found
}

/// The line of the closing brace of the function that begins at `start`; `None` for a declaration without a body.
fn end_of_body(source: &Source, start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut in_body = false;
    for token in &source.tokens[start..] {
        match token.kind {
            Kind::Open(bracket) => {
                in_body |= depth == 0 && bracket == '{';
                depth += 1;
            }
            Kind::Close(_) => {
                depth -= 1;
                if depth == 0 && in_body {
                    return Some(token.line);
                }
            }
            Kind::Punct(';') if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(lines: usize) -> Source {
        Source::parse("a.rs", &"// x\n".repeat(lines))
    }

    fn function_of(lines: usize) -> Source {
        Source::parse("a.rs", &format!("fn long<T>(a: [u8; 3]) -> T {{\n{}}}\n", "x();\n".repeat(lines - 2)))
    }

    fn messages(source: Source, record: &str) -> Vec<String> {
        check(&[source], &Ratchet::parse(record)).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn new_long_things_are_refused() {
        assert!(messages(file_of(500), "").is_empty());
        assert!(messages(file_of(501), "")[0].contains("501 lines, more than 500"));
        assert!(messages(function_of(60), "").is_empty());
        assert!(messages(function_of(61), "")[0].contains("61 lines, more than 60"));
    }

    #[test]
    fn recorded_long_things_may_stay_but_not_grow() {
        let record = "[files]\n\"a.rs\" = 600\n";
        assert!(messages(file_of(600), record).is_empty());
        assert!(messages(file_of(601), record)[0].contains("grew from 600 to 601"));
        let record = "[functions]\n\"a.rs long\" = 80\n";
        assert!(messages(function_of(80), record).is_empty());
        assert!(messages(function_of(81), record)[0].contains("grew from 80 to 81"));
    }

    #[test]
    fn the_record_follows_what_shrinks() {
        let record = "[files]\n\"a.rs\" = 600\n";
        assert!(messages(file_of(599), record)[0].contains("shrank from 600 to 599"));
        assert!(messages(file_of(400), record)[0].contains("take it out"));
    }

    #[test]
    fn declarations_and_pointers_are_no_functions() {
        let source =
            Source::parse("a.rs", "trait A { fn a(&self); }\ntype F = fn(u8) -> u8;\nfn b() { c() }\n");
        let names: Vec<String> = functions(&source).into_iter().map(|function| function.key).collect();
        assert_eq!(names, ["a.rs b"]);
    }
}
