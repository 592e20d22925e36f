//! Negotiation from outside: tables, real endpoints' capabilities, properties and the vectors.
//!
//! Knows the API's dictionaries. Does not know how codecs are compared inside.

mod bad_input;
mod captures;
mod consumer;
mod json;
mod offered;
mod producer;
mod properties;
mod repair;
mod router;
mod vectors;
mod vectors_file;
