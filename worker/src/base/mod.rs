//! Memory, tables, numbers and deadlines. No domain words: nothing here knows what a packet means.

pub mod time;
