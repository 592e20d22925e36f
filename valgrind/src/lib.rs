//! What the worker takes: memory by the kernel's count and by massif's, errors by memcheck, instructions by callgrind.
//!
//! * [`program`]: where the standalone worker is built and under which tool it runs; a `Driver` of the test bed is its host.
//! * [`scenario`]: idle, entities, WebRTC, fan-out and peak; each fills a list of [`figures`].
//! * [`budgets`]: what each figure may be, from `budgets.toml`.
//! * [`browsers`]: echo rooms whose visitors are browsers, for `cargo soak-room`.
//! * [`massif`], [`callgrind`], [`memcheck`]: what these tools of valgrind wrote.
//!
//! Knows processes and files. Does not know the worker's insides. The raw protocol is spoken instead of a host
//! library's: under valgrind everything takes fifty times as long, and a host's time-outs would be in the way.
//! Invariant: a figure is printed with its budget or not at all.
#![forbid(unsafe_code)]

pub mod browsers;
pub mod budgets;
pub mod callgrind;
pub mod figures;
pub mod massif;
pub mod memcheck;
pub mod program;
pub mod scenario;

/// What went wrong with a measurement.
pub use tidegate_tests::driver::Failure;
