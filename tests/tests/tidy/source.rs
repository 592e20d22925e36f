//! Finds the files and reads Rust as tokens, so that comments and strings never count as code.
//!
//! Knows the tree and the token stream. Does not know any rule. Called by every check.
//! Invariant: a [`Token`]'s line is its line in the file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A rule that a place breaks, with what to do about it.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}:{}: {}", self.path, self.line, self.message)
    }
}

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// From the top of the tree, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file as a flat list of tokens.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) lines: usize,
    pub(crate) tokens: Vec<Token>,
}

/// One token; groups appear as their two brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What a token is. Literals keep nothing: no rule reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident(String),
    Punct(char),
    Open(char),
    Close(char),
    Literal,
}

impl Source {
    /// Reads `text` as Rust.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self { path: path.to_owned(), lines: text.lines().count(), tokens }
    }

    /// The identifier at `index`, if there is one.
    pub(crate) fn ident(&self, index: usize) -> Option<&str> {
        match &self.tokens.get(index)?.kind {
            Kind::Ident(name) => Some(name),
            _ => None,
        }
    }

    /// Whether `::` stands at `index`.
    pub(crate) fn is_path_separator(&self, index: usize) -> bool {
        self.is_punct(index, ':') && self.is_punct(index + 1, ':')
    }

    /// Whether that character stands at `index`.
    pub(crate) fn is_punct(&self, index: usize, punct: char) -> bool {
        self.tokens.get(index).is_some_and(|token| token.kind == Kind::Punct(punct))
    }

    /// Lines at which the path `names` (joined by `::`) or a longer one that ends in it stands.
    pub(crate) fn lines_of_path<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        (0..self.tokens.len())
            .filter(|&start| self.has_path(start, names))
            .map(|start| self.tokens[start].line)
    }

    fn has_path(&self, start: usize, names: &[&str]) -> bool {
        names.iter().enumerate().all(|(part, name)| {
            let at = start + 3 * part;
            (part == 0 || self.is_path_separator(at - 2)) && self.ident(at) == Some(name)
        })
    }
}

/// Every file that git tracks or would track, as far as it is text.
pub(crate) fn tracked_files() -> Vec<TextFile> {
    let root = root();
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .expect("tidy asks git for the files: is git installed?");
    assert!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
    let names = String::from_utf8(listing.stdout).expect("file names are UTF-8");
    names.split_terminator('\0').filter_map(|path| text_file(&root, path)).collect()
}

/// One file's text, by its path from the top of the tree.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `None` for what is deleted but not yet committed, and for what is not text.
fn text_file(root: &Path, path: &str) -> Option<TextFile> {
    let text = String::from_utf8(std::fs::read(root.join(path)).ok()?).ok()?;
    Some(TextFile { path: path.to_owned(), text })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(ident) => out.push(Token { line, kind: Kind::Ident(ident.to_string()) }),
            TokenTree::Punct(punct) => out.push(Token { line, kind: Kind::Punct(punct.as_char()) }),
            TokenTree::Literal(_) => out.push(Token { line, kind: Kind::Literal }),
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                let (first, last) = (group.span_open().start().line, group.span_close().end().line);
                out.push(Token { line: first, kind: Kind::Open(open) });
                flatten(group.stream(), out);
                out.push(Token { line: last, kind: Kind::Close(close) });
            }
        }
    }
}

fn brackets(delimiter: Delimiter) -> (char, char) {
    match delimiter {
        Delimiter::Parenthesis => ('(', ')'),
        Delimiter::Brace => ('{', '}'),
        Delimiter::Bracket | Delimiter::None => ('[', ']'),
    }
}

#[test]
fn comments_and_strings_are_no_code() {
    let source =
        Source::parse("a.rs", "//! unsafe\n// Instant::now\nfn a() -> &'static str { \"unsafe\" }\n");
    assert_eq!(source.lines_of_path(&["unsafe"]).count(), 0);
    assert_eq!(source.lines_of_path(&["Instant", "now"]).count(), 0);
}

#[test]
fn paths_are_found_in_code_and_in_macros() {
    let source = Source::parse(
        "a.rs",
        "fn a() {\n  x(std::time::Instant::now());\n  assert!(Instant::now() > b);\n}\n",
    );
    assert_eq!(source.lines_of_path(&["Instant", "now"]).collect::<Vec<_>>(), [2, 3]);
}
