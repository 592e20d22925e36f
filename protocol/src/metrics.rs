//! All counters of a worker in one flat list.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};

/// Every counter and histogram. Names are stable, lower case, words joined by `_`, units last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Counters (they only grow) and gauges.
    pub values: List<Metric, 512>,
    /// Distributions.
    pub histograms: List<Histogram, 64>,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// For example `packets_received`.
    pub name: Text<64>,
    /// Its value.
    pub value: u64,
}

/// A distribution in buckets of powers of two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// For example `turn_time_us`.
    pub name: Text<64>,
    /// Bucket 0 counts zeros; bucket `k` counts values from `2^(k-1)` to `2^k - 1`; the last also all larger ones.
    pub buckets: List<u64, 64>,
    /// Sum of all values, for the mean.
    pub sum: u64,
}

impl Metrics {
    /// The number of that name.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|metric| &*metric.name == name).map(|metric| metric.value)
    }

    /// The distribution of that name.
    pub fn histogram(&self, name: &str) -> Option<&Histogram> {
        self.histograms.iter().find(|histogram| &*histogram.name == name)
    }
}

impl Histogram {
    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their mean; `None` when there were none.
    #[expect(clippy::cast_precision_loss, reason = "a mean of counts needs no more than 52 bits")]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }
}
