//! Many entities of each kind without media: what each takes, and what comes back.

use tidegate_protocol::ids::RouterId;
use tidegate_protocol::request::Command;
use tidegate_tests::driver::Driver;
use tidegate_tests::fuzz::commands::{consume, produce};
use tidegate_tests::fuzz::model::Producer;

use super::{Extent, anonymous_after_closing, anonymous_kb};
use crate::Failure;
use crate::figures::{Figures, float};

/// Creates `extent.entities` of each kind, one kind after the other, and closes them all.
pub(super) fn run(driver: &mut Driver, extent: Extent, figures: &mut Figures) -> Result<(), Failure> {
    let count = extent.entities;
    let idle_kb = anonymous_kb(driver, extent)?;
    let mut stages = Stages { before_kb: idle_kb, count, extent };

    eprintln!("{count} routers");
    let routers: Vec<u64> = (0..count).map(|_| driver.id()).collect();
    let create = |id: &u64| Command::CreateRouter { router: RouterId(*id) };
    driver.call_all(routers.iter().map(create).collect())?;
    stages.note(driver, figures, "entities.router_bytes")?;

    eprintln!("{count} plain transports");
    let mut transports = Vec::new();
    for router in &routers {
        transports.push(driver.create_transport(*router, true)?.0);
    }
    stages.note(driver, figures, "entities.plain_transport_bytes")?;

    eprintln!("{count} producers");
    let producers: Vec<u64> = (0..count).map(|_| driver.id()).collect();
    let create = transports.iter().zip(&producers).map(|(transport, id)| produce(*transport, *id, true));
    driver.call_all(create.collect())?;
    stages.note(driver, figures, "entities.producer_bytes")?;

    eprintln!("{count} consumers");
    let mut commands = Vec::new();
    for (transport, producer) in transports.iter().zip(&producers) {
        commands.push(consume(*transport, driver.id(), &Producer::ordinary(*transport, *producer, true)));
    }
    driver.call_all(commands)?;
    stages.note(driver, figures, "entities.consumer_bytes")?;

    eprintln!("closing all");
    let close = |id: &u64| Command::CloseRouter { router: RouterId(*id) };
    driver.call_all(routers.iter().map(close).collect())?;
    let after_kb = anonymous_after_closing(driver, extent, idle_kb)?;
    if extent.reads_memory {
        figures.add("entities.closed_share_of_idle", float(after_kb) / float(idle_kb.max(1)));
    }
    Ok(())
}

/// Memory between one kind of entity and the next.
struct Stages {
    before_kb: u64,
    count: usize,
    extent: Extent,
}

impl Stages {
    fn note(&mut self, driver: &Driver, figures: &mut Figures, name: &str) -> Result<(), Failure> {
        let now_kb = anonymous_kb(driver, self.extent)?;
        if self.extent.reads_memory {
            let grown = float(now_kb.saturating_sub(self.before_kb)) * 1_024.0;
            figures.add(name, grown / float(self.count as u64));
        }
        self.before_kb = now_kb;
        Ok(())
    }
}
