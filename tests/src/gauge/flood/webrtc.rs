//! Floods of WebRTC: fake STUN, DTLS and SRTP on the one port that all transports of a server share.
//!
//! Half of it comes from many addresses that have shown nothing, half from the sockets of three peers that have proven
//! their way: one is connected, one's host has said nothing yet, one's handshake is awaited. A fourth peer asks for consent
//! on the same port all the while, and counts its answers.
//! Knows how such datagrams look. Does not know how they are sent. Called by `flood`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use tidegate_protocol::transport::Protocol;
use tidegate_protocol::webrtc::DtlsState;
use tidegate_worker::dtls::{Role, Version};
use tidegate_worker::ice::stun::IntegrityKey;

use super::Of;
use crate::caller::{Caller, Host, now};
use crate::endpoint::{Endpoint, Nomination, binding_request, context};
use crate::gauge::subject::WorkerProcess;
use crate::load::Flood;
use crate::world::webrtc::WebRtc;

/// A port of a worker, and those who call there.
#[derive(Debug)]
pub(super) struct Front {
    told: Vec<WebRtc>,
    connected: Caller,
    /// Its host has not said who it is.
    unknown: Caller,
    /// The worker waits for its ClientHello.
    awaited: Caller,
    /// Who asks for consent.
    pub(super) probe: Probe,
}

/// Asks for consent and counts answers.
#[derive(Debug)]
pub(super) struct Probe {
    caller: Caller,
    /// Requests.
    pub(super) asked: u64,
    /// Of them.
    pub(super) answered: u64,
}

impl Front {
    pub(super) fn opens(subject: &mut WorkerProcess) -> io::Result<Self> {
        let told = subject.create_webrtc_transports(4)?;
        let shared = context(Version::Dtls13);
        let callers = told.iter().map(|told| Caller::new(told, Protocol::Udp, &shared));
        let callers: Vec<Caller> = callers.collect::<io::Result<_>>()?;
        let Ok([mut connected, mut unknown, mut awaited, mut probe]) = <[Caller; 4]>::try_from(callers)
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        connected.joins(subject).map_err(io::Error::other)?;
        probe.joins(subject).map_err(io::Error::other)?;
        unknown.proves_its_way(subject).map_err(io::Error::other)?;
        awaited.proves_its_way(subject).map_err(io::Error::other)?;
        subject.connect(awaited.transport, &awaited.endpoint.fingerprint()).map_err(io::Error::other)?;
        Ok(Self { told, connected, unknown, awaited, probe: Probe { caller: probe, asked: 0, answered: 0 } })
    }

    /// What floods the port, so many datagrams a second; it waits for the window.
    pub(super) fn flood(&self, of: Of, per_second: u64) -> io::Result<Flood> {
        let datagrams = match of {
            Of::Stun => stun(&self.connected),
            Of::Dtls => dtls(&self.told)?,
            Of::Srtp | Of::Rtp | Of::Rtcp => srtp(),
        };
        let known = [&self.connected, &self.unknown, &self.awaited];
        let mut sockets = Vec::new();
        for number in 0..STRANGERS {
            // All of 127.0.0.0/8 is this machine.
            let address = Ipv4Addr::new(127, 0, 1, number);
            sockets.push(UdpSocket::bind((address, 0))?);
            sockets.push(known[usize::from(number) % known.len()].udp_socket()?);
        }
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        let from = sockets.into_iter().map(|socket| (socket, datagrams.clone())).collect();
        let mut flood = Flood::from_all(from, self.to(), per_second).ok_or(io::ErrorKind::Unsupported)?;
        flood.waits = true;
        Ok(flood)
    }

    /// Whether what was connected still is.
    pub(super) fn is_undisturbed(&self, subject: &mut WorkerProcess) -> io::Result<bool> {
        let state = subject.dtls_state(self.connected.transport).map_err(io::Error::other)?;
        Ok(state == DtlsState::Connected)
    }

    const fn to(&self) -> SocketAddr {
        self.connected.to
    }
}

impl Probe {
    /// Counts what has come, and asks again.
    pub(super) fn asks(&mut self, times: u64) -> io::Result<()> {
        self.hears()?;
        for _ in 0..times {
            self.caller.asks()?;
        }
        self.asked += times;
        Ok(())
    }

    /// Counts what has come.
    pub(super) fn hears(&mut self) -> io::Result<()> {
        self.caller.goes_on()?;
        while self.caller.takes_answer() {
            self.answered += 1;
        }
        self.caller.heard.clear();
        Ok(())
    }
}

/// Requests with everything wrong that can be, and what is no request.
fn stun(of: &Caller) -> Vec<Vec<u8>> {
    let (wrong, named) = (IntegrityKey::new(b"not the password"), format!("{}:peer", of.endpoint.fragment()));
    let unknown = "q".repeat(32) + ":peer";
    let mut all = Vec::new();
    for number in 0..8 {
        let request = |name: &str, key| binding_request(number, name, key, Nomination::Usual);
        let bad_password = request(&named, Some(&wrong));
        let class = |high: u8, low: u8| [&[high, low], &bad_password[2..]].concat();
        let mut damaged = bad_password.clone();
        damaged[24] ^= 0xFF;
        let cut = bad_password[..bad_password.len() - 3].to_vec();
        // RFC 8489 5: so many bytes of attributes that must be understood and are not.
        let mut strange = [&bad_password[..20], &[0x7F, 0xFF, 0, 0].repeat(300)].concat();
        strange[2..4].copy_from_slice(&1_200_u16.to_be_bytes());
        let (indication, answer) = (class(0, 0x11), class(1, 0x01));
        let (nobody, unsigned) = (request(&unknown, Some(&wrong)), request(&named, None));
        all.extend([bad_password, nobody, unsigned, indication, answer, damaged, cut, strange]);
    }
    all
}

/// ClientHellos of both versions, each another client's, and records of no sense.
fn dtls(told: &[WebRtc]) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let contexts = [context(Version::Dtls12), context(Version::Dtls13)];
    for number in 0..32_usize {
        let (told, context) = (told.first().ok_or(io::ErrorKind::NotFound)?, &contexts[number % 2]);
        let mut client = Endpoint::new(&told.dump, context);
        client.begins(now(), Role::Client);
        all.extend(client.says(now()).into_iter().filter_map(|said| match said {
            crate::endpoint::Said::Datagram(bytes) => Some(bytes),
            _ => None,
        }));
        // RFC 6347 4.1: alerts, handshakes, data; in the clear, or as if encrypted.
        for kind in 20..24 {
            let epoch = u8::from(number.is_multiple_of(2));
            let body: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(kind)).collect();
            let head = [kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 1, u8::try_from(number).unwrap_or(0), 0, 200];
            all.push([&head[..], &body].concat());
        }
    }
    Ok(all)
}

/// RTP and RTCP of many SSRCs, authentic to nobody.
fn srtp() -> Vec<Vec<u8>> {
    let packet = |number: u16, head: [u8; 2], bytes: usize| {
        let [high, low] = number.to_be_bytes();
        let mut packet = vec![0x5A; bytes];
        packet[..12].copy_from_slice(&[head[0], head[1], high, low, 0, 0, 0, low, 0xF0, 0, 0, low]);
        packet
    };
    let each = |number| {
        [packet(number, [0x80, 101], 1_112), packet(number, [0x80, 200], 80), packet(number, [0x90, 96], 200)]
    };
    (0..64).flat_map(each).collect()
}

const STRANGERS: u8 = 48;
