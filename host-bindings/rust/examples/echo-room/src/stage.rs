//! One worker's life with its ports open, and how soon the next may follow.
//!
//! Knows how a worker is started and where it listens. Does not know rooms. Called by [`hall`](crate::hall).
//! Invariant: all workers of a hall listen on the ports that the first one was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate::{ListenInfo, Protocol, RequestError, SpawnError, WebRtcServer, WebRtcServerOptions, Worker};

use crate::hall::{MediaOptions, listen_infos};

/// A worker with its ports open.
#[derive(Debug)]
pub struct Stage {
    /// 1 for the first worker, one more for each that followed.
    pub number: u64,
    /// The worker.
    pub worker: Worker,
    /// The ports that everybody shares.
    pub server: WebRtcServer,
    /// What became of the worker before it.
    pub after: Option<Arc<Death>>,
}

/// What became of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// How it ended, or why another one did not start: a sentence.
    pub reason: String,
    /// How many ended one shortly after the other, this one included.
    pub in_a_row: u32,
    /// How long to wait before the next is started.
    pub restart_in: Duration,
}

/// Where things stand.
#[derive(Clone, Debug)]
pub enum Status {
    /// Rooms can be made.
    Running(Arc<Stage>),
    /// Everything is gone; another worker will follow.
    Down(Arc<Death>),
    /// This program ends.
    Closed,
}

/// The ports of the first worker, one for each address.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    udp: Vec<u16>,
    tcp: Vec<u16>,
}

/// Why there is no hall, or no next worker yet.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The worker did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The worker refused its ports.
    #[error(
        "the worker cannot listen for media: {0}; is another program using the port? --media-port chooses another"
    )]
    Ports(#[source] RequestError),
}

impl Stage {
    /// Starts a worker and opens its ports: those given, or else those of `media`.
    pub(crate) async fn open(
        number: u64,
        media: &MediaOptions,
        ports: Option<&Ports>,
        after: Option<Arc<Death>>,
    ) -> Result<Self, OpenError> {
        let worker = Worker::spawn(media.worker.clone()).await?;
        let all_ports = vec![media.port; media.ips.len()];
        let (udp, tcp) = ports.map_or((&all_ports, &all_ports), |ports| (&ports.udp, &ports.tcp));
        let buffered = |listen: ListenInfo| ListenInfo {
            send_buffer_size: SOCKET_BUFFER_BYTES,
            recv_buffer_size: SOCKET_BUFFER_BYTES,
            ..listen
        };
        let udp = listen_infos(media, Protocol::Udp)
            .zip(udp)
            .map(|(listen, port)| buffered(listen.with_port(*port)));
        let tcp = listen_infos(media, Protocol::Tcp).zip(tcp).map(|(listen, port)| listen.with_port(*port));
        let options = WebRtcServerOptions::new(udp.chain(tcp).collect());
        let server = worker.create_webrtc_server(options).await.map_err(OpenError::Ports)?;
        Ok(Self { number, worker, server, after })
    }

    /// The ports that it was given.
    pub(crate) async fn ports(&self) -> Result<Ports, OpenError> {
        let dump = self.server.dump().await.map_err(OpenError::Ports)?;
        let ports = |sockets: &[SocketAddr]| sockets.iter().map(SocketAddr::port).collect();
        Ok(Ports { udp: ports(&dump.udp_sockets), tcp: ports(&dump.tcp_servers) })
    }
}

/// How long to wait before the next worker: not at all after a long life, longer and longer when they die young.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    in_a_row: u32,
}

impl BackOff {
    /// A worker ended that had lived for so long; nothing when it did not even start.
    pub(crate) fn death(&mut self, lived: Duration, reason: String) -> Death {
        if lived >= LONG_LIFE {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let restart_in = match self.in_a_row {
            0 | 1 => Duration::ZERO,
            again => (FIRST_PAUSE * 2_u32.saturating_pow(again.min(DOUBLINGS_MAX + 2) - 2)).min(PAUSE_MAX),
        };
        Death { reason, in_a_row: self.in_a_row, restart_in }
    }
}

/// One socket carries everybody. The usual 208 KiB are full after 90 packets, a quarter of a second of one small room, in
/// which a machine that is busy with browsers may well not let the worker run. The kernel gives less where it is told to.
const SOCKET_BUFFER_BYTES: u32 = 2 << 20;
/// Whoever lives so long did not die of the same cause as the one before.
const LONG_LIFE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// More of them pass [`PAUSE_MAX`] in any case.
const DOUBLINGS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_workers_die_young_and_begin_anew_after_a_long_life() {
        let mut back_off = BackOff::default();
        let mut pause_ms = |lived_s| {
            let death = back_off.death(Duration::from_secs(lived_s), String::new());
            (death.in_a_row, death.restart_in.as_millis())
        };
        let young: Vec<_> = (0..9).map(|_| pause_ms(1)).collect();
        let expected = [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        assert_eq!(young, (1..).zip(expected).collect::<Vec<_>>());
        assert_eq!(pause_ms(30), (1, 0));
        assert_eq!(pause_ms(29), (2, 500));
        for _ in 0..100 {
            pause_ms(0);
        }
        assert_eq!(pause_ms(0), (103, 30_000));
    }
}
