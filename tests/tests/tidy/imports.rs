//! Which part of the worker may use which.
//!
//! The table, lower parts first (a part may always use itself):
//!
//! | part | may use | of the protocol |
//! | --- | --- | --- |
//! | `base` | nothing | nothing |
//! | `rtp`, `rtcp` (wire) | `base` and each other | nothing |
//! | `dtls` `srtp` `sctp` `bwe` `stream` (engines) | `base`, wire; **never each other** | nothing |
//! | `ice` (an engine whose states and candidates are the host's own) | `base`; no other engine | plain data, as `media` |
//! | `network` `outbox` `random` `counters` `moderation` `turn` (root parts) | `base` and each other | all but the codec and requests |
//! | `media` | `base`, wire, engines, root parts | plain data: not requests, responses, messages, codec, frames |
//! | `control` | `media`, `base`, root parts | all but the codec and frames |
//! | `worker` | `control`, `media`, `base`, wire, root parts | all but the codec and frames |
//! | `session` | `base`, root parts | all |
//! | `event_loop`, `sys`, `settings`, `start`, `lib`, `main` (the shell) | everything | everything |
//!
//! Engines take what they need as plain arguments (`now`, `&mut Pool`), so they do not use the root parts.
//! Knows paths that begin with `crate` or `super`, written after `use` or inline. Called by `tidy.rs`.
//! Invariant: a part that the table does not name is a violation, so that nobody adds one without deciding its place.

use crate::source::{Kind, Source, Violation};

/// One row of the table.
struct Layer {
    parts: &'static [&'static str],
    /// Other parts that it may use.
    uses: &'static [&'static [&'static str]],
    /// Modules of the protocol crate that it may not name; `None` when it may not name that crate at all.
    protocol_without: Option<&'static [&'static str]>,
    /// Whether its parts may use one another.
    together: bool,
}

const BASE: &[&str] = &["base"];
const WIRE: &[&str] = &["rtp", "rtcp"];
const ICE: &[&str] = &["ice"];
const ENGINES: &[&str] = &["dtls", "srtp", "sctp", "bwe", "stream"];
const ROOT_PARTS: &[&str] = &["network", "outbox", "random", "counters", "moderation", "turn"];
const MEDIA: &[&str] = &["media"];
const CONTROL: &[&str] = &["control"];
const WORKER: &[&str] = &["worker"];
const SESSION: &[&str] = &["session"];
const SHELL: &[&str] = &["event_loop", "sys", "settings", "start", "lib", "main"];

const LAYERS: &[Layer] = &[
    Layer { parts: BASE, uses: &[], protocol_without: None, together: true },
    Layer { parts: WIRE, uses: &[BASE], protocol_without: None, together: true },
    Layer { parts: ENGINES, uses: &[BASE, WIRE], protocol_without: None, together: false },
    Layer {
        parts: ICE,
        uses: &[BASE],
        protocol_without: Some(&["request", "response", "message", "codec", "frame"]),
        together: false,
    },
    Layer {
        parts: ROOT_PARTS,
        uses: &[BASE],
        protocol_without: Some(&["request", "codec", "frame"]),
        together: true,
    },
    Layer {
        parts: MEDIA,
        uses: &[BASE, WIRE, ENGINES, ICE, ROOT_PARTS],
        protocol_without: Some(&["request", "response", "message", "codec", "frame"]),
        together: true,
    },
    Layer {
        parts: CONTROL,
        uses: &[BASE, ROOT_PARTS, MEDIA],
        protocol_without: Some(&["codec", "frame"]),
        together: true,
    },
    Layer {
        parts: WORKER,
        uses: &[BASE, WIRE, ENGINES, ROOT_PARTS, MEDIA, CONTROL],
        protocol_without: Some(&["codec", "frame"]),
        together: true,
    },
    Layer { parts: SESSION, uses: &[BASE, ROOT_PARTS], protocol_without: Some(&[]), together: true },
    Layer {
        parts: SHELL,
        uses: &[BASE, WIRE, ENGINES, ICE, ROOT_PARTS, MEDIA, CONTROL, WORKER, SESSION],
        protocol_without: Some(&[]),
        together: true,
    },
];

/// What `source` uses against the table. Files outside the worker are no business of it.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let Some(module) = module_path(&source.path) else { return Vec::new() };
    let part = module.first().map_or("lib", String::as_str);
    let Some(layer) = LAYERS.iter().find(|layer| layer.parts.contains(&part)) else {
        let message = format!("`{part}` has no row in the table of tests/tests/tidy/imports.rs: give it one");
        return vec![Violation { path: source.path.clone(), line: 1, message }];
    };
    let used = uses(source, &module);
    let refused = used.into_iter().filter(|used| !layer.allows(part, &used.root, &used.name));
    refused
        .map(|used| Violation {
            path: source.path.clone(),
            line: used.line,
            message: format!(
                "`{part}` may not use `{}::{}`: pass what it needs as an argument, or move the code (table in \
                 tests/tests/tidy/imports.rs)",
                used.root, used.name
            ),
        })
        .collect()
}

impl Layer {
    fn allows(&self, part: &str, root: &str, name: &str) -> bool {
        if root == PROTOCOL {
            return self.protocol_without.is_some_and(|without| !without.contains(&name));
        }
        let own = name == part || self.together && self.parts.contains(&name);
        own || self.uses.iter().any(|parts| parts.contains(&name)) || !is_part(name)
    }
}

/// Names at the crate's root that are no parts (a macro, a constant of `lib.rs`) hold no code of their own.
fn is_part(name: &str) -> bool {
    LAYERS.iter().any(|layer| layer.parts.contains(&name))
}

/// One use of something by its path.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    line: usize,
    /// `crate` or the protocol crate.
    root: String,
    /// The first name below it.
    name: String,
}

/// Modules of a file of the worker's library: `worker/src/ice/agent.rs` is `[ice, agent]`, `lib.rs` is `[]`.
fn module_path(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("worker/src/")?.strip_suffix(".rs")?;
    let mut names: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod" || name == "lib") {
        names.pop();
    }
    Some(names)
}

/// Everything that the file names below `crate`, `super` (resolved) or the protocol crate.
fn uses(source: &Source, module: &[String]) -> Vec<Use> {
    let mut found = Vec::new();
    let mut inline_modules: Vec<usize> = Vec::new();
    let mut depth = 0;
    for at in 0..source.tokens.len() {
        match &source.tokens[at].kind {
            Kind::Open('{') => {
                depth += 1;
                if at >= 2 && source.ident(at - 2) == Some("mod") {
                    inline_modules.push(depth);
                }
            }
            Kind::Close('}') => {
                if inline_modules.last() == Some(&depth) {
                    inline_modules.pop();
                }
                depth -= 1;
            }
            Kind::Ident(name) if name == "crate" || name == PROTOCOL => {
                let root = name.clone();
                found.extend(names_after(source, at).map(|(line, name)| Use {
                    line,
                    root: root.clone(),
                    name,
                }));
            }
            Kind::Ident(name) if name == "super" && !source.is_continued_path(at) => {
                found.extend(climb(source, at, module.len() + inline_modules.len()));
            }
            _ => {}
        }
    }
    found
}

impl Source {
    /// Whether the name at `index` follows a `::`.
    fn is_continued_path(&self, index: usize) -> bool {
        index >= 2 && self.is_path_separator(index - 2)
    }
}

/// What `super::super::…` names, if it climbs to the crate's root from a module `depth` names deep.
fn climb(source: &Source, start: usize, depth: usize) -> Vec<Use> {
    let (mut at, mut left) = (start, depth.saturating_sub(1));
    while source.is_path_separator(at + 1) && source.ident(at + 3) == Some("super") {
        at += 3;
        left = left.saturating_sub(1);
    }
    let names = names_after(source, at).filter(|_| left == 0);
    names.map(|(line, name)| Use { line, root: "crate".to_owned(), name }).collect()
}

/// The names right below the path that ends at `at`: one for `::name`, all of `::{a::x, b}`.
fn names_after(source: &Source, at: usize) -> impl Iterator<Item = (usize, String)> {
    let mut names = Vec::new();
    if source.is_path_separator(at + 1) {
        let first = at + 3;
        if source.tokens.get(first).is_some_and(|token| token.kind == Kind::Open('{')) {
            let (mut depth, mut wants_name) = (0, true);
            for token in &source.tokens[first..] {
                match &token.kind {
                    Kind::Open(_) => depth += 1,
                    Kind::Close(_) => depth -= 1,
                    Kind::Punct(',') if depth == 1 => wants_name = true,
                    Kind::Ident(name) if depth == 1 && wants_name => {
                        names.push((token.line, name.clone()));
                        wants_name = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(name) = source.ident(first) {
            names.push((source.tokens[first].line, name.to_owned()));
        }
    }
    names.into_iter()
}

const PROTOCOL: &str = "tidegate_protocol";

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<usize> {
        check(&Source::parse(path, text)).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn engines_never_use_each_other() {
        assert_eq!(
            violations("worker/src/dtls/mod.rs", "use crate::base::time::Time;\nuse crate::srtp::Keys;"),
            [2]
        );
        assert_eq!(violations("worker/src/stream/nack.rs", "fn a() { crate::bwe::probe() }"), [1]);
        assert_eq!(violations("worker/src/stream/nack.rs", "use crate::stream::history::History;"), []);
    }

    #[test]
    fn lower_parts_do_not_use_upper_ones() {
        assert_eq!(violations("worker/src/base/pool.rs", "use crate::rtp::Header;"), [1]);
        assert_eq!(
            violations("worker/src/rtp/header.rs", "use crate::rtcp::Compound;\nuse crate::stream::X;"),
            [2]
        );
        assert_eq!(violations("worker/src/media/router.rs", "use crate::control::dispatch;"), [1]);
        assert_eq!(violations("worker/src/worker.rs", "use crate::sys::clock::Clock;"), [1]);
        assert_eq!(violations("worker/src/control/router.rs", "use crate::rtp::Header;"), [1]);
        assert_eq!(violations("worker/src/event_loop.rs", "use crate::{sys::udp, worker::Worker};"), []);
    }

    #[test]
    fn groups_and_super_are_seen_through() {
        assert_eq!(
            violations("worker/src/rtp/rtx.rs", "use crate::{\n base::{sequence, pool},\n media,\n};"),
            [3]
        );
        assert_eq!(violations("worker/src/rtp/rtx.rs", "use super::super::media::Producer;"), [1]);
        assert_eq!(violations("worker/src/rtp/rtx.rs", "mod tests {\n use super::super::media::X;\n}"), []);
        assert_eq!(
            violations("worker/src/rtp/rtx.rs", "mod tests {\n use super::super::super::media::X;\n}"),
            [2]
        );
        assert_eq!(violations("worker/src/turn.rs", "use super::media::X;"), [1]);
    }

    #[test]
    fn protocol_is_plain_data_below_control() {
        assert_eq!(violations("worker/src/stream/score.rs", "use tidegate_protocol::stats::X;"), [1]);
        assert_eq!(
            violations("worker/src/media/stats.rs", "use tidegate_protocol::{stats::X, request::Command};"),
            [1]
        );
        assert_eq!(
            violations("worker/src/media/stats.rs", "use tidegate_protocol::{stats::X, ids::RouterId};"),
            []
        );
        assert_eq!(violations("worker/src/control/dispatch.rs", "use tidegate_protocol::codec;"), [1]);
    }

    #[test]
    fn a_new_part_needs_a_row() {
        assert_eq!(violations("worker/src/helpers/mod.rs", ""), [1]);
        assert_eq!(violations("host-bindings/rust/src/helpers.rs", "use crate::anything;"), []);
    }
}
