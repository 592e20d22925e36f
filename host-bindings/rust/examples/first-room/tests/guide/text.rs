//! The guide's blocks. Each is a file, named by a comment in the line before it, or a command (`sh`), or a drawing (`text`).
//!
//! `<!-- file: src/room.rs -->` begins a file, or begins it anew; `<!-- more of src/room.rs -->` goes on with it behind an
//! empty line. Knows Markdown's fences. Does not know what the blocks mean.

/// What a reader does.
#[derive(Debug)]
pub(crate) enum Step {
    File { path: String, text: String, appends: bool },
    Command(String),
}

/// All of them, in their order.
pub(crate) fn steps(guide: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = guide.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            if language != "text" {
                steps.push(step(before, language, text));
            }
        }
        before = line;
    }
    steps
}

fn step(before: &str, language: &str, text: String) -> Step {
    let named = |prefix| before.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(" -->"));
    match (named("<!-- file: "), named("<!-- more of ")) {
        (Some(path), _) => Step::File { path: path.to_owned(), text, appends: false },
        (_, Some(path)) => Step::File { path: path.to_owned(), text: format!("\n{text}"), appends: true },
        _ if language == "sh" => Step::Command(text),
        _ => panic!("neither a file nor a command, below {before:?}:\n{text}"),
    }
}

/// What a file holds each time that it is whole.
pub(crate) fn versions(steps: &[Step], wanted: &str) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    for step in steps {
        match step {
            Step::File { path, text, appends } if path == wanted => match versions.last_mut() {
                Some(last) if *appends => last.push_str(text),
                _ => versions.push(text.clone()),
            },
            _ => {}
        }
    }
    versions
}
