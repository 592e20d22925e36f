//! Memory, tables, numbers and deadlines. No domain words: nothing here knows what a packet means.

pub mod address;
pub mod bounded;
mod index_set;
pub mod pool;
pub mod rate;
pub mod sequence;
pub mod table;
pub mod time;
pub mod timer;
