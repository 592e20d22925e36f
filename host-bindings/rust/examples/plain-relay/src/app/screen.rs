//! Where figures go: a table that renews itself on a terminal, a line a second into a pipe, JSON when asked for.

use std::io::{self, IsTerminal as _, Write as _};

use plain_relay::figures::Sample;

/// The program's output.
#[derive(Debug)]
pub(crate) struct Screen {
    way: Way,
    /// Lines of the table that is on the terminal now.
    shown_lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Table,
    Lines,
    Json,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let way = match (json, io::stdout().is_terminal()) {
            (true, _) => Way::Json,
            (false, true) => Way::Table,
            (false, false) => Way::Lines,
        };
        Self { way, shown_lines: 0 }
    }

    /// Something for people: to standard output unless that is for programs.
    pub(crate) fn say(&self, text: &str) {
        // Whoever closed our output does not want to read; the relay goes on.
        let _ = match self.way {
            Way::Json => writeln!(io::stderr(), "{text}"),
            Way::Table | Way::Lines => writeln!(io::stdout(), "{text}"),
        };
    }

    /// A new look; `note` is one more line about it.
    pub(crate) fn show(&mut self, sample: &Sample, note: Option<&str>) {
        let text = match self.way {
            Way::Table => return self.renew(&format!("{}{}\n", sample.table(), note.unwrap_or_default())),
            Way::Json => serde_json::to_string(sample).unwrap_or_default(),
            Way::Lines => [sample.line().as_str(), note.unwrap_or_default()].join("  "),
        };
        let _ = writeln!(io::stdout(), "{}", text.trim_end());
    }

    /// The last look, whole.
    pub(crate) fn finish(&self, last: &Sample) {
        if self.way == Way::Lines {
            self.say(&format!("\n{}", last.table().trim_end()));
        }
    }

    /// Writes over the table that is there.
    fn renew(&mut self, table: &str) {
        let mut out = io::stdout();
        if self.shown_lines > 0 {
            // ECMA-48: cursor up by so many lines, then erase from there to the end of the screen.
            let _ = write!(out, "\x1b[{}A\x1b[J", self.shown_lines);
        }
        let _ = write!(out, "{table}");
        let _ = out.flush();
        self.shown_lines = table.lines().count();
    }
}
