//! Named numbers that a scenario measured.

use serde::Serialize;

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Scenario and what it is, for example `entities.consumer_bytes`.
    pub name: String,
    /// In the unit that ends the name.
    pub value: f64,
}

/// Numbers in the order in which they were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Adds one.
    pub fn add(&mut self, name: &str, value: f64) {
        self.0.push(Figure { name: name.to_owned(), value });
    }

    /// The number of that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

/// A count as a float: exact up to 2^53, and counts here stay far below.
#[expect(clippy::cast_precision_loss, reason = "reports show three digits")]
pub const fn float(count: u64) -> f64 {
    count as f64
}
