//! The vectors of `vectors/ortc.json`: inputs chosen to mean something, and what this crate makes of them.
//!
//! Knows the file's form: a JSON array, a vector a line, `{name, function, input, output}` or `{…, error: {kind,
//! field}}`; sentences of errors are no part of it. Does not know a second implementation. Used by the example
//! `ortc-vectors`, which writes the file, and by the test that holds it.
//! Invariant: the same vectors in the same order whenever it is run; no number reaches 2^53.

pub(crate) mod build;
mod call;
mod consumer;
pub(crate) mod parameters;
pub(crate) mod producer;
mod repair;
mod router;
mod scalability_mode;
pub(crate) mod wrong;

use serde_json::{Value, json};
use tidegate_protocol::error::ErrorKind;

pub(crate) use call::evaluate;

/// One call: a name, a function of `ortc` and its arguments.
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) function: &'static str,
    pub(crate) input: Value,
    /// The class and field that it must be refused with, where that is known beforehand.
    refused: Option<(ErrorKind, &'static str)>,
}

impl Call {
    pub(crate) fn new(function: &'static str, name: impl Into<String>, input: Value) -> Self {
        Self { name: name.into(), function, input, refused: None }
    }

    /// A call that must be refused for this.
    pub(crate) fn refused(self, kind: ErrorKind, field: &'static str) -> Self {
        Self { refused: Some((kind, field)), ..self }
    }

    /// The vector: the call with its outcome.
    fn vector(&self) -> Value {
        let Self { name, function, input, refused } = self;
        let mut vector = json!({ "name": name, "function": function, "input": input });
        let outcome = evaluate(function, input);
        if let Some((kind, field)) = refused {
            assert_eq!(
                outcome,
                json!({ "error": { "kind": format!("{kind:?}"), "field": field } }),
                "{name}"
            );
        }
        if let (Some(vector), Value::Object(outcome)) = (vector.as_object_mut(), outcome) {
            vector.extend(outcome);
        }
        vector
    }
}

/// Every call, in the file's order.
pub(crate) fn calls() -> Vec<Call> {
    let mut calls = vec![Call::new("supportedRtpCapabilities", "everything", json!({}))];
    calls.extend(router::calls());
    calls.extend(wrong::calls());
    calls.extend(parameters::calls());
    calls.extend(producer::calls());
    calls.extend(consumer::calls());
    calls.extend(repair::calls());
    calls.extend(scalability_mode::calls());
    calls
}

/// The whole file.
pub(crate) fn file() -> String {
    let lines: Vec<String> = calls().iter().map(|call| call.vector().to_string()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
