//! A host that asks and does not read: the worker must stop taking requests, stay small, and recover.
//!
//! Called by lives.

use tidegate_protocol::request::Command;

use super::commands::Expect;
use super::endings;
use super::life::{Broken, Life};

/// Asks until the worker takes no more, looks at its memory, reads everything, and ends the life.
pub fn run(life: &mut Life<'_>) -> Result<(), Broken> {
    life.settle()?;
    life.worker.host.reads = false;
    ask_until_it_stalls(life)?;
    life.look_at_memory()?;
    life.worker.host.reads = true;
    life.settle()?;
    life.request(Command::DumpWorker, Expect::Good);
    life.settle()?;
    life.look_at_memory()?;
    endings::any(life)
}

/// Requests are queued until the worker has taken none of their bytes for half a second.
pub fn ask_until_it_stalls(life: &mut Life<'_>) -> Result<(), Broken> {
    for _ in 0..ROUNDS_MAX {
        life.step += 1;
        for _ in 0..REQUESTS_PER_ROUND {
            let command = if life.dice.chance(50) { Command::GetMetrics } else { Command::DumpWorker };
            life.request(command, Expect::Good);
        }
        while life.worker.host.unwritten() > 0 {
            if !life.move_bytes(STALLED_MS)? {
                return Ok(());
            }
        }
        life.look_at_memory()?;
    }
    Err(format!("the worker took {} requests whose answers nobody read", ROUNDS_MAX * REQUESTS_PER_ROUND))
}

const REQUESTS_PER_ROUND: usize = 256;
const ROUNDS_MAX: usize = 400;
const STALLED_MS: u16 = 500;
