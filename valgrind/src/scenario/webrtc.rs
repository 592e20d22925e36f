//! Many WebRTC transports on one server: what each takes before its handshake and after, and what comes back.

use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::Protocol;
use tidegate_protocol::webrtc::WebRtcCommand;
use tidegate_tests::caller::{Caller, on_server};
use tidegate_tests::driver::Driver;
use tidegate_tests::endpoint::context;
use tidegate_worker::dtls::Version;

use super::{Extent, anonymous_after_closing, anonymous_kb};
use crate::Failure;
use crate::figures::{Figures, float};

/// `extent.entities` transports, connected with real handshakes over loopback, and closed; once with each version of DTLS.
pub(super) fn run(driver: &mut Driver, extent: Extent, figures: &mut Figures) -> Result<(), Failure> {
    // The worker's certificate and the code of a first handshake are not what a transport takes.
    lives(driver, Extent { entities: 1, ..extent }, Version::Dtls13, None)?;
    let idle_kb = anonymous_kb(driver, extent)?;
    lives(driver, extent, Version::Dtls12, Some((&mut *figures, "webrtc.connected_dtls12_bytes")))?;
    anonymous_after_closing(driver, extent, idle_kb)?;
    lives(driver, extent, Version::Dtls13, Some((&mut *figures, "webrtc.connected_dtls13_bytes")))?;
    let after_kb = anonymous_after_closing(driver, extent, idle_kb)?;
    if extent.reads_memory {
        figures.add("webrtc.closed_share_of_idle", float(after_kb) / float(idle_kb.max(1)));
    }
    Ok(())
}

/// Transports are created, connected and closed with their server.
fn lives(
    driver: &mut Driver,
    extent: Extent,
    version: Version,
    figures: Option<(&mut Figures, &str)>,
) -> Result<(), Failure> {
    let count = extent.entities;
    let before_kb = anonymous_kb(driver, extent)?;
    let router = driver.id();
    driver.call(Command::CreateRouter { router: RouterId(router) })?;
    let server = driver.create_webrtc_server()?;
    eprintln!("{count} WebRTC transports");
    let mut told = Vec::new();
    for _ in 0..count {
        // For ever: under valgrind the first one's consent would end before the last one's handshake.
        told.push(driver.create_webrtc_transport(router, &on_server(server, 0))?);
    }
    let created_kb = anonymous_kb(driver, extent)?;
    eprintln!("{count} handshakes of {version:?}");
    let shared = context(version);
    let mut callers = Vec::new();
    for transport in &told {
        let caller = Caller::new(transport, Protocol::Udp, &shared);
        let mut caller = caller.map_err(|error| error.to_string())?;
        caller.joins(driver)?;
        callers.push(caller);
    }
    settle(driver, extent)?;
    let connected_kb = anonymous_kb(driver, extent)?;
    if let Some((figures, name)) = figures.filter(|_| extent.reads_memory) {
        let each = |kb: u64| float(kb.saturating_sub(before_kb)) * 1_024.0 / float(count as u64);
        if version == Version::Dtls12 {
            figures.add("webrtc.created_bytes", each(created_kb));
        }
        figures.add(name, each(connected_kb));
    }
    eprintln!("closing all");
    for transport in &told {
        driver.call(Command::CloseTransport { transport: TransportId(transport.id.0) })?;
    }
    driver.call(Command::WebRtc(WebRtcCommand::CloseServer { server }))?;
    driver.call(Command::CloseRouter { router: RouterId(router) })?;
    Ok(())
}

/// Packet memory in which handshakes came goes back after five seconds: it is no transport's.
fn settle(driver: &mut Driver, extent: Extent) -> Result<(), Failure> {
    if extent.reads_memory {
        driver.listen_until(tidegate_tests::clock::monotonic_ns() + POOL_NS)?;
    }
    Ok(())
}

const POOL_NS: u64 = 7_000_000_000;
