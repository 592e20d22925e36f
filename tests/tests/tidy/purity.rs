//! Where the serialiser, unsafe code, clocks and I/O may be named.
//!
//! * `bincode`: `protocol/src/codec.rs` alone, and the manifests of the workspace and of `protocol`.
//! * `unsafe`: `worker/src/sys/` and `worker/src/base/pool.rs` alone (beside the lint, which an attribute can silence).
//! * `Instant::now`, `SystemTime::now`, `thread::sleep` in the worker and the protocol: `worker/src/sys/` alone.
//!   Elsewhere clippy's `disallowed-methods` asks for a reason at each use.
//! * Files, sockets, processes, threads, environment and printing: in the worker the shell alone (`sys`,
//!   `event_loop.rs`, `start.rs`, `main.rs`); in the protocol nowhere.
//!
//! Knows tokens. Called by `tidy.rs`. Invariant: every rule names the places that may, none the places that may not.

use crate::source::{Source, TextFile, Violation};

/// Something that only a few places may name.
struct Rule {
    /// Paths, any of which is meant; a single name is one too.
    named: &'static [&'static [&'static str]],
    /// Only files that begin like this are asked; all when empty.
    within: &'static [&'static str],
    /// Files that begin like this may.
    may: &'static [&'static str],
    advice: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        named: &[&["bincode"]],
        within: &[],
        may: &["protocol/src/codec.rs"],
        advice: "call protocol::codec, so that the serialiser can be replaced",
    },
    Rule {
        named: &[&["unsafe"]],
        within: &[],
        may: &["worker/src/sys/", "worker/src/base/pool.rs"],
        advice: "unsafe code has two addresses: move it to worker/src/sys/ or worker/src/base/pool.rs",
    },
    Rule {
        named: &[&["Instant", "now"], &["SystemTime", "now"], &["thread", "sleep"]],
        within: &["worker/src/", "protocol/src/"],
        // Nothing else makes the `Instant` that dimpl reckons from; the tests' clock is virtual all the same.
        may: &[
            "worker/src/sys/",
            "worker/src/dtls/tests/pair.rs",
            "worker/src/media/transport/webrtc/context.rs",
        ],
        advice: "time is an argument: take `now`",
    },
    Rule {
        named: &[
            &["std", "fs"],
            &["std", "io"],
            &["std", "env"],
            &["std", "process"],
            &["std", "thread"],
            &["std", "os"],
            &["UdpSocket"],
            &["TcpStream"],
            &["TcpListener"],
            &["UnixStream"],
            &["mio"],
            &["libc"],
            &["print"],
            &["println"],
            &["eprint"],
            &["eprintln"],
            &["dbg"],
        ],
        within: &["worker/src/", "protocol/src/"],
        may: &["worker/src/sys/", "worker/src/event_loop", "worker/src/start.rs", "worker/src/main.rs"],
        advice: "the core does no I/O: take values in, give values back, let the shell act",
    },
];

/// What `source` names that it may not.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let begins = |places: &[&str]| places.iter().any(|place| source.path.starts_with(place));
    let rules =
        RULES.iter().filter(|rule| (rule.within.is_empty() || begins(rule.within)) && !begins(rule.may));
    rules.flat_map(|rule| broken(rule, source)).collect()
}

/// The same for the serialiser in a `Cargo.toml`.
pub(crate) fn check_manifest(file: &TextFile) -> Vec<Violation> {
    if ["Cargo.toml", "protocol/Cargo.toml"].contains(&file.path.as_str()) {
        return Vec::new();
    }
    let lines = file.text.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with("bincode"));
    let message = || "only `protocol` depends on the serialiser".to_owned();
    lines.map(|(_, line)| Violation { path: file.path.clone(), line, message: message() }).collect()
}

fn broken(rule: &Rule, source: &Source) -> Vec<Violation> {
    let named = rule.named.iter().flat_map(|path| source.lines_of_path(path).map(move |line| (line, path)));
    named
        .map(|(line, path)| Violation {
            path: source.path.clone(),
            line,
            message: format!("`{}`: {}", path.join("::"), rule.advice),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::parse(path, text)).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn serialiser_outside_the_codec() {
        assert_eq!(lines("protocol/src/frame.rs", "\nuse bincode::Options;"), [2]);
        assert_eq!(lines("protocol/src/codec.rs", "use bincode::Options;"), []);
        let manifest =
            |path: &str| TextFile { path: path.to_owned(), text: "[x]\nbincode = \"1\"\n".to_owned() };
        assert_eq!(check_manifest(&manifest("worker/Cargo.toml")).len(), 1);
        assert!(check_manifest(&manifest("protocol/Cargo.toml")).is_empty());
    }

    #[test]
    fn unsafe_outside_its_addresses() {
        let code = "fn a() {\n unsafe { b() }\n}";
        assert_eq!(lines("worker/src/base/table.rs", code), [2]);
        assert_eq!(lines("tests/src/lib.rs", code), [2]);
        assert_eq!(lines("worker/src/base/pool.rs", code), []);
        assert_eq!(lines("worker/src/sys/udp.rs", code), []);
        assert_eq!(lines("worker/src/lib.rs", "#![forbid(unsafe_code)]"), []);
    }

    #[test]
    fn clock_below_the_shell() {
        let code = "fn a() {\n Instant::now();\n std::time::SystemTime::now();\n std::thread::sleep(x);\n}";
        assert_eq!(lines("protocol/src/frame.rs", code), [2, 3, 4, 4]);
        assert_eq!(lines("worker/src/event_loop.rs", "fn a() { Instant::now(); }"), [1]);
        assert_eq!(lines("worker/src/sys/clock.rs", code), []);
    }

    #[test]
    fn io_below_the_shell() {
        assert_eq!(
            lines("worker/src/media/mod.rs", "use std::net::UdpSocket;\nfn a() { println!(); }"),
            [1, 2]
        );
        assert_eq!(lines("worker/src/media/mod.rs", "use std::net::SocketAddr;"), []);
        assert_eq!(lines("worker/src/main.rs", "use std::process::ExitCode;"), []);
    }
}
