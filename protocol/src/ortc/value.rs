//! One format parameter's value: a number or a text, and what JSON may say for it.
//!
//! Knows how values are read, compared and written. Does not know parameters. Used by the
//! [`dictionary`](super::dictionary). Invariant: what is read was neither a list nor an object.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A format parameter's value.
///
/// JSON's other plain values become one of the two, as a line of SDP would hold them: `true` is 1 and `false` 0; a
/// whole number with a point (`1.0`) is that number; any other number (`0.5`, or beyond 64 bits) is its decimal text;
/// `null` is the empty text. A list or an object is refused: a line of SDP has no place for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A number.
    Number(i64),
    /// Anything else; 1,024 bytes at most.
    Text(String),
}

impl ParameterValue {
    /// The number, whether it was given as one or as digits.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }

    /// The text that a line of SDP would hold.
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl From<i64> for ParameterValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Beyond this, floating-point numbers have no fractions and whole numbers have gaps (2^53).
const WHOLE_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;

        impl Visitor<'_> for Plain {
            type Value = ParameterValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text as the value of a codec parameter, not a list or an object")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Number(i64::from(value)))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Number(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<ParameterValue, E> {
                Ok(i64::try_from(value)
                    .map_or_else(|_| ParameterValue::Text(value.to_string()), ParameterValue::Number))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<ParameterValue, E> {
                if !value.is_finite() {
                    return Err(E::custom("the value of a codec parameter is not a finite number"));
                }
                if value.fract() != 0.0 || value.abs() > WHOLE_FLOAT_MAX {
                    return Ok(ParameterValue::Text(value.to_string()));
                }
                // A whole number of at most 54 bits: its decimal text is that of the integer.
                let digits = format!("{value:.0}");
                digits.parse().map(ParameterValue::Number).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Text(value.to_owned()))
            }

            fn visit_unit<E: Error>(self) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Text(String::new()))
            }
        }

        deserializer.deserialize_any(Plain)
    }
}
