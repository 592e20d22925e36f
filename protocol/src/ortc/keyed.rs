//! Objects that are read by their keys alone.
//!
//! Serde's derived code also takes a list for an object, its elements for the fields in their order: `[]` would be
//! capabilities without any codec. Knows how to ask for keys only. Does not know fields. Used by the
//! [`dictionary`](super::dictionary).

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads objects by their keys, whatever the format would allow besides.
pub(super) struct Keyed<D>(pub(super) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Keyed<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Reads these types, whose derived code is `remote`, by their keys; writes them as derived.
macro_rules! keyed {
    ($($name:ident),*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::ortc::keyed::Keyed(deserializer))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    )*};
}

pub(super) use keyed;
