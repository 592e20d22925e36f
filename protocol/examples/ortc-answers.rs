//! Answers calls of negotiation, for twins in other languages that want to be compared with more than the vectors: one
//! JSON object `{function, input}` a line on standard input, one `{output}` or `{error: {kind, field?}}` a line on
//! standard output, in the form of `vectors/ortc.md`. Arguments that are not even of the dictionary's types are an
//! `InvalidArgument` without a field.

#[path = "../tests/ortc/vectors/call.rs"]
#[expect(dead_code, reason = "the vectors use more of it")]
mod call;

use std::io::{self, BufRead, BufWriter, Write};

use serde_json::Value;

fn main() -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let function = asked["function"].as_str().unwrap_or_default();
        writeln!(output, "{}", call::answer(function, &asked["input"]))?;
    }
    output.flush()
}
