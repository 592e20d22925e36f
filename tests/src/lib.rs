//! The test bed: a worker in a simulated world and scenarios for it, traffic as real senders make it, a load
//! generator, what the benchmarks are made of, a proxy that loses packets of real players, and browsers that visit a
//! room.

pub mod caller;
pub mod chart;
pub mod clock;
pub mod driver;
pub mod endpoint;
pub mod fuzz;
pub mod gauge;
pub mod ideal;
pub mod load;
pub mod process;
pub mod properties;
pub mod proxy;
pub mod scenarios;
pub mod soak;
pub mod soak_room;
pub mod stats;
pub mod traffic;
pub mod visitor;
pub mod world;
