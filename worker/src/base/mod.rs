//! Memory, tables, numbers and deadlines. No domain words: nothing here knows what a packet means.

mod index_set;
pub mod pool;
pub mod sequence;
pub mod table;
pub mod time;
