//! A worker with an echo room before it, and the network before both.
//!
//! Knows the example `echo-room` and the proxy. Does not know browsers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use libtest_mimic::Failed;
use tidegate::{LogLevel, WorkerEvent, WorkerSettings};
use tidegate_tests::proxy::{Entrance, Proxy, Settings};
use tidegate_tests::visitor;
use tokio::net::TcpListener;

use crate::case::{Browser, Case};
use crate::judge::ensure;
use crate::secrecy::Wire;

/// A room to visit.
#[derive(Debug)]
pub(crate) struct Echo {
    /// Where the room is.
    pub(crate) signalling: String,
    /// Where the proxy is, if there is one.
    pub(crate) through_udp_port: Option<u16>,
    hall: Arc<Hall>,
    proxy: Option<Proxy>,
    wire: Arc<Mutex<Wire>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    /// Starts a worker, its room and the network of this case.
    pub(crate) async fn open(case: &Case) -> Result<Self, Failed> {
        let media = MediaOptions {
            ips: vec![media_ip(case.browser)?],
            announced_address: None,
            port: 0,
            codecs: media_codecs(),
            worker: WorkerSettings { log_level: LogLevel::Warn, ..WorkerSettings::default() },
        };
        let hall = Hall::open(media).await?;
        let log = keep_log(&hall);
        let wire = Arc::default();
        let proxy = match case.loss_permille {
            Some(loss) => Some(proxy(&hall, loss, &wire).await?),
            None => None,
        };
        let (proxy, through_udp_port) = proxy.unzip();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let signalling = format!("ws://{}/signalling?room=echo", listener.local_addr()?);
        // It ends with the runtime.
        tokio::spawn(serve(Arc::clone(&hall), listener, std::future::pending()));
        Ok(Self { signalling, hall, through_udp_port, proxy, wire, log })
    }

    /// What the network did, to be printed.
    pub(crate) fn network(&self) -> String {
        self.proxy.as_ref().map_or_else(String::new, |proxy| {
            let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
            format!("; proxy (seed {SEED}): {}; {wire}", proxy.tally())
        })
    }

    /// How long the worker kept packets, to be printed; of what came by TCP it does not know when it came.
    pub(crate) async fn delay(&self, case: &Case) -> Result<String, Failed> {
        if case.force_tcp {
            return Ok(String::new());
        }
        let metrics = self.hall.worker().get_metrics().await?;
        let delays =
            metrics.histogram("forward_delay_us").ok_or("the worker has no metric forward_delay_us")?;
        // Bucket k ends below 2^k.
        let longest = delays.buckets.iter().rposition(|count| *count > 0).unwrap_or_default();
        let (mean, longest) =
            (delays.mean().unwrap_or_default(), Duration::from_micros(1 << longest.min(63)));
        Ok(format!("; the worker kept packets {mean:.0} us, none longer than {longest:.0?}"))
    }

    /// The network lost what it had to, and saw no media in clear.
    pub(crate) fn judge_network(&self, case: &Case) -> Result<(), Failed> {
        let Some(proxy) = &self.proxy else { return Ok(()) };
        let tally = proxy.tally();
        let lossy = case.loss_permille != Some(0);
        for (way, counts) in [("to the worker", tally.to_worker), ("to the browser", tally.to_peer)] {
            ensure((counts.rtp.dropped > 0) == lossy, || format!("{way} the proxy dropped {counts}"))?;
            ensure(!lossy || counts.rtx.came > 0, || format!("{way} nothing was sent again: {counts}"))?;
        }
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).is_sealed()
    }

    /// The worker had no defect, and with ICE over TCP nothing went by UDP.
    pub(crate) async fn judge_worker(&self, case: &Case) -> Result<(), Failed> {
        let metrics = self.hall.worker().get_metrics().await?;
        let count =
            |name: &str| metrics.value(name).ok_or_else(|| format!("the worker has no metric {name}"));
        let panics = count("panics_contained")?;
        ensure(panics == 0, || format!("{panics} panics were contained"))?;
        let (received, sent, tcp) =
            (count("receive_calls")?, count("send_calls")?, count("tcp_sent_frames")?);
        // A browser may try TCP beside UDP, but not the other way round.
        if !case.force_tcp {
            return ensure(received > 0 && sent > 0, || "nothing went by UDP".to_owned());
        }
        let by_udp =
            || format!("{received} batches came by UDP, {sent} left by it; by TCP {tcp} frames left");
        ensure(received == 0 && sent == 0 && tcp > 0, by_udp)
    }

    /// What the worker said.
    pub(crate) fn log(&self) -> String {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        format!("--- the worker's log, {} lines\n{}", lines.len(), lines.join("\n"))
    }
}

/// Before the server's UDP port; and its own port.
async fn proxy(hall: &Hall, loss_permille: u32, wire: &Arc<Mutex<Wire>>) -> Result<(Proxy, u16), Failed> {
    let dump = hall.server().dump().await?;
    let server: SocketAddr = *dump.udp_sockets.first().ok_or("the server has no UDP socket")?;
    let entrance = Entrance::open(server)?;
    let port = entrance.front()?.port();
    let wire = Arc::clone(wire);
    let witness = move |_, bytes: &[u8]| wire.lock().unwrap_or_else(PoisonError::into_inner).saw(bytes);
    let both_ways = Settings::both_ways(loss_permille, Duration::ZERO, SEED);
    let settings = Settings { rtx_payload_types: &RTX_OF_VP8, ..both_ways };
    Ok((Proxy::start_at(settings, entrance, witness)?, port))
}

fn keep_log(hall: &Hall) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let (lines, mut events) = (Arc::clone(&log), hall.worker().events());
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let line = match event {
                WorkerEvent::Log { level, tag, text } => format!("{level:?} {tag:?}: {text}"),
                WorkerEvent::Output { text, .. } => text,
                other => format!("{other:?}"),
            };
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    log
}

/// Where the worker listens.
fn media_ip(browser: Browser) -> Result<IpAddr, Failed> {
    match browser {
        Browser::Chromium => Ok(Ipv4Addr::LOCALHOST.into()),
        Browser::Firefox => Ok(visitor::address_for_firefox()?),
    }
}

const SEED: u64 = 7;
/// Chromium's, Firefox's and the room's.
const RTX_OF_VP8: [u8; 3] = [97, 124, 102];
