//! One recorded video to many consumers, once or coming and going: what it takes under load and afterwards.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_tests::driver::Driver;
use tidegate_tests::fuzz::commands::{VIDEO_PAYLOAD_TYPE, connect, consume, produce, ssrc_of};
use tidegate_tests::fuzz::model::Producer;
use tidegate_tests::load::{Load, Phases, Sinks, Sources, StreamPlan, peer_socket};
use tidegate_tests::traffic::Traffic;

use super::{Extent, anonymous_after_closing, anonymous_kb};
use crate::Failure;
use crate::figures::{Figures, float};

/// A video into the worker.
struct Stage {
    router: u64,
    producer: u64,
    producer_transport: u64,
    entrance: SocketAddr,
    camera: UdpSocket,
}

/// One fan-out and its end.
pub(super) fn run(driver: &mut Driver, extent: Extent, figures: &mut Figures) -> Result<(), Failure> {
    let idle_kb = anonymous_kb(driver, extent)?;
    let stage = Stage::open(driver)?;
    let (loaded_kb, loss) = stage.play_to(driver, extent.fanout, extent)?;
    report_loss("fanout", loss, extent);
    if extent.reads_memory {
        figures.add("fanout.loss_percent", loss * 100.0);
        figures.add("fanout.loaded_anonymous_kb", float(loaded_kb));
    }
    stage.close(driver)?;
    let after_kb = anonymous_after_closing(driver, extent, idle_kb)?;
    if extent.reads_memory {
        figures.add("fanout.closed_share_of_idle", float(after_kb) / float(idle_kb.max(1)));
    }
    Ok(())
}

/// Consumers come and go under one video; the second peak and those after it must be no higher than the first.
pub(super) fn run_peak(driver: &mut Driver, extent: Extent, figures: &mut Figures) -> Result<(), Failure> {
    let idle_kb = anonymous_kb(driver, extent)?;
    let mut peaks_kb = Vec::new();
    for cycle in 1..=extent.cycles {
        eprintln!("cycle {cycle} of {}", extent.cycles);
        let stage = Stage::open(driver)?;
        let (loaded_kb, loss) = stage.play_to(driver, extent.peak, extent)?;
        report_loss("peak", loss, extent);
        peaks_kb.push(loaded_kb);
        stage.close(driver)?;
    }
    let after_kb = anonymous_after_closing(driver, extent, idle_kb)?;
    if extent.reads_memory {
        let (first, highest) =
            (peaks_kb.first().copied().unwrap_or(0), peaks_kb.iter().copied().max().unwrap_or(0));
        figures.add("peak.loaded_anonymous_kb", float(highest));
        figures.add("peak.highest_share_of_first", float(highest) / float(first.max(1)));
        figures.add("peak.closed_share_of_idle", float(after_kb) / float(idle_kb.max(1)));
    }
    Ok(())
}

impl Stage {
    fn open(driver: &mut Driver) -> Result<Self, Failure> {
        let router = driver.id();
        driver.call(Command::CreateRouter { router: RouterId(router) })?;
        let camera = peer_socket().map_err(|error| error.to_string())?;
        let (producer_transport, entrance) = driver.create_transport(router, false)?;
        let address = camera.local_addr().map_err(|error| error.to_string())?;
        driver.call(connect(producer_transport, address, None))?;
        camera.connect(entrance).map_err(|error| error.to_string())?;
        let producer = driver.id();
        driver.call(produce(producer_transport, producer, true))?;
        Ok(Self { router, producer, producer_transport, entrance, camera })
    }

    /// Lets `count` consumers come and plays the video to them. Anonymous memory under load, and the share lost.
    fn play_to(&self, driver: &mut Driver, count: usize, extent: Extent) -> Result<(u64, f64), Failure> {
        eprintln!("{count} consumers of a 720p video for {} ms", extent.warm_up_ms + extent.window_ms);
        let mut sinks = Sinks::open(count).map_err(|error| error.to_string())?;
        for (sink, address) in sinks.addresses().map_err(|error| error.to_string())?.into_iter().enumerate() {
            let (transport, _) = driver.create_transport(self.router, false)?;
            driver.call(connect(transport, SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())), None))?;
            let consumer = driver.id();
            driver.call(consume(
                transport,
                consumer,
                &Producer::ordinary(self.producer_transport, self.producer, true),
            ))?;
            sinks.expect(sink, 0);
        }
        let camera = self.camera.try_clone().map_err(|error| error.to_string())?;
        let plan = StreamPlan {
            traffic: Traffic::Vp8,
            source: 0,
            ssrc: ssrc_of(self.producer),
            payload_type: VIDEO_PAYLOAD_TYPE,
            start_us: 0,
        };
        let mut load =
            Load { sources: Sources::new(vec![camera], &[plan], 0), sinks, flood: None, calm_ms: 0 };
        let phases = Phases { warm_up_ms: extent.warm_up_ms, window_ms: extent.window_ms };
        let outcome = load.run(phases, driver.pid()).map_err(|error| error.to_string())?;
        self.check_forwarded(driver)?;
        Ok((outcome.memory.anonymous_kb, outcome.loss()))
    }

    /// A fan-out that forwards nothing measures nothing.
    fn check_forwarded(&self, driver: &mut Driver) -> Result<(), Failure> {
        let transport = TransportId(self.producer_transport);
        match driver.call(Command::GetTransportStats { transport })? {
            Reply::TransportStats(stats) if stats.rtp_received.packets > 0 => Ok(()),
            other => Err(format!("the video did not arrive at {}: {other:?}", self.entrance)),
        }
    }

    fn close(self, driver: &mut Driver) -> Result<(), Failure> {
        driver.call(Command::CloseRouter { router: RouterId(self.router) }).map(|_| ())
    }
}

/// A worker under valgrind is too slow for the load: there losses are no news.
fn report_loss(name: &str, loss: f64, extent: Extent) {
    if extent.reads_memory && loss > LOSS_MAX {
        eprintln!("{name}: {:.2} % of packets were lost; was the machine busy?", loss * 100.0);
    }
}

const LOSS_MAX: f64 = 0.001;
