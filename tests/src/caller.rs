//! A WebRTC endpoint on a real socket: UDP, or TCP with the frames of RFC 4571.
//!
//! Knows its socket and its `Endpoint`. Does not know who starts the worker. Called by measurements and tests with real
//! workers. Nothing here blocks: [`Caller::goes_on`] takes what has come and says what is due.
//! Invariant: every datagram that came is either answered by DTLS or in the list of what was heard.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, DtlsState, WebRtcCommand, WebRtcDump, WebRtcListen, WebRtcStats,
    WebRtcTransportOptions,
};
use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{Context, Failure as NoConnection, Role};

use crate::clock;
use crate::driver::{Driver, Failure};
use crate::endpoint::{Endpoint, Heard, Nomination, Said};
use crate::world::parameters::list;
use crate::world::webrtc::{WebRtc, candidate, connect_webrtc, create_webrtc, on_loopback, webrtc_options};

/// Somebody who calls.
#[derive(Debug)]
pub struct Caller {
    /// What it is called.
    pub transport: u64,
    /// What it says and understands.
    pub endpoint: Endpoint,
    carrier: Carrier,
    /// Where it calls.
    pub to: SocketAddr,
    /// What it understood since the last time, but DTLS.
    pub heard: Vec<Heard>,
    /// The worker said goodbye, or closed the connection.
    pub is_closed: bool,
    /// Why there was no connection.
    pub failure: Option<NoConnection>,
}

#[derive(Debug)]
enum Carrier {
    Udp(UdpSocket),
    /// With what is half arrived.
    Tcp(TcpStream, Vec<u8>),
}

/// What a caller needs of the worker's host.
pub trait Host {
    /// Says who the peer of a transport is, which begins the handshake.
    ///
    /// # Errors
    /// The worker refuses it.
    fn connect(&mut self, transport: u64, peer: &DtlsFingerprint) -> Result<(), Failure>;

    /// How far a transport's handshake is.
    ///
    /// # Errors
    /// There is no such transport.
    fn dtls_state(&mut self, transport: u64) -> Result<DtlsState, Failure>;

    /// Lets the worker work for a moment.
    ///
    /// # Errors
    /// It ended.
    fn rest(&mut self) -> Result<(), Failure>;
}

impl Host for Driver {
    fn connect(&mut self, transport: u64, peer: &DtlsFingerprint) -> Result<(), Failure> {
        let fingerprints = std::slice::from_ref(peer);
        self.call(connect_webrtc(TransportId(transport), DtlsRole::Client, fingerprints)).map(|_| ())
    }

    fn dtls_state(&mut self, transport: u64) -> Result<DtlsState, Failure> {
        Ok(self.webrtc_dump(transport)?.dtls_state)
    }

    fn rest(&mut self) -> Result<(), Failure> {
        self.rest_for(POLL_NS)
    }
}

/// A worker's WebRTC transports with us as their host.
impl Driver {
    /// A WebRTC server with a UDP port and a TCP port on loopback.
    ///
    /// # Errors
    /// As [`Driver::call`].
    pub fn create_webrtc_server(&mut self) -> Result<WebRtcServerId, Failure> {
        let server = WebRtcServerId(self.id());
        let both = [Protocol::Udp, Protocol::Tcp];
        let listen_infos = list(both.map(|protocol| on_loopback(protocol, ListenPort::Any)).to_vec());
        self.call(Command::WebRtc(WebRtcCommand::CreateServer { server, listen_infos }))?;
        Ok(server)
    }

    /// A new transport of a server, as its host is told of it.
    ///
    /// # Errors
    /// As [`Driver::call`].
    pub fn create_webrtc_transport(
        &mut self,
        router: u64,
        options: &WebRtcTransportOptions,
    ) -> Result<WebRtc, Failure> {
        let id = TransportId(self.id());
        match self.call(create_webrtc(RouterId(router), id, options))? {
            Reply::WebRtcTransport(dump) => Ok(WebRtc { id, dump: *dump }),
            other => Err(format!("a transport was answered {other:?}")),
        }
    }

    /// What a WebRTC transport holds.
    ///
    /// # Errors
    /// As [`Driver::call`].
    pub fn webrtc_dump(&mut self, transport: u64) -> Result<WebRtcDump, Failure> {
        let transport = TransportId(transport);
        match self.call(Command::DumpTransport { transport })? {
            Reply::TransportDump(dump) => dump.webrtc.ok_or_else(|| "no WebRTC transport".to_owned()),
            other => Err(format!("a dump was answered {other:?}")),
        }
    }

    /// What a WebRTC transport counts.
    ///
    /// # Errors
    /// As [`Driver::call`].
    pub fn webrtc_stats(&mut self, transport: u64) -> Result<WebRtcStats, Failure> {
        let transport = TransportId(transport);
        match self.call(Command::GetTransportStats { transport })? {
            Reply::TransportStats(stats) => stats.webrtc.ok_or_else(|| "no WebRTC transport".to_owned()),
            other => Err(format!("statistics were answered {other:?}")),
        }
    }
}

/// Options of a transport on `server`, whose way lives without consent for `consent_s` seconds; 0 is for ever.
pub fn on_server(server: WebRtcServerId, consent_s: u8) -> WebRtcTransportOptions {
    let options = webrtc_options(WebRtcListen::Server(server));
    WebRtcTransportOptions { ice_consent_timeout_s: consent_s, ..options }
}

impl Caller {
    /// Somebody who was told of a transport, with a socket of its own. A connection is made at once.
    ///
    /// # Errors
    /// There is no such candidate, or no socket to be had.
    pub fn new(told: &WebRtc, protocol: Protocol, context: &Arc<Context>) -> io::Result<Self> {
        let to = candidate(told, protocol).ok_or_else(|| io::Error::other("no such candidate"))?;
        let carrier = match protocol {
            Protocol::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.set_nonblocking(true)?;
                socket.connect(to)?;
                Carrier::Udp(socket)
            }
            Protocol::Tcp => {
                let stream = TcpStream::connect(to)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Carrier::Tcp(stream, Vec::new())
            }
        };
        Ok(Self {
            transport: told.id.0,
            endpoint: Endpoint::new(&told.dump, context),
            carrier,
            to,
            heard: Vec::new(),
            is_closed: false,
            failure: None,
        })
    }

    /// Another handle of its UDP socket.
    ///
    /// # Errors
    /// It has none, or there is no descriptor left.
    pub fn udp_socket(&self) -> io::Result<UdpSocket> {
        match &self.carrier {
            Carrier::Udp(socket) => socket.try_clone(),
            Carrier::Tcp(..) => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Its TCP connection.
    pub const fn connection(&self) -> Option<&TcpStream> {
        match &self.carrier {
            Carrier::Udp(_) => None,
            Carrier::Tcp(stream, _) => Some(stream),
        }
    }

    /// Asks, and nominates its way.
    ///
    /// # Errors
    /// The socket fails.
    pub fn asks(&mut self) -> io::Result<()> {
        let request = self.endpoint.request(Nomination::Usual);
        self.sends(&request)
    }

    /// Sends media or feedback under its keys.
    ///
    /// # Errors
    /// The socket fails.
    pub fn plays(&mut self, plain: &[u8]) -> io::Result<()> {
        let sealed = self.endpoint.seals(plain);
        self.sends(&sealed)
    }

    /// Sends anything.
    ///
    /// # Errors
    /// The socket fails.
    pub fn sends(&mut self, datagram: &[u8]) -> io::Result<()> {
        match &mut self.carrier {
            Carrier::Udp(socket) => match socket.send(datagram) {
                Ok(_) => Ok(()),
                // A full buffer, or a worker that is gone: what a network does anyway.
                Err(error) if is_passing(&error) => Ok(()),
                Err(error) => Err(error),
            },
            Carrier::Tcp(stream, _) => {
                let length = u16::try_from(datagram.len()).map_err(io::Error::other)?;
                write_all(stream, &[&length.to_be_bytes()[..], datagram].concat())
            }
        }
    }

    /// Takes what has come, and says what DTLS has to say.
    ///
    /// # Errors
    /// The socket fails.
    pub fn goes_on(&mut self) -> io::Result<()> {
        let now = now();
        for datagram in self.receive()? {
            match self.endpoint.hears(now, datagram) {
                Heard::Dtls => {}
                heard => self.heard.push(heard),
            }
        }
        for said in self.endpoint.says(now) {
            match said {
                Said::Datagram(bytes) => self.sends(&bytes)?,
                Said::Joined => {}
                Said::Closed => self.is_closed = true,
                Said::Failed(failure) => self.failure = Some(failure),
            }
        }
        Ok(())
    }

    /// Goes on until `enough` is there.
    ///
    /// # Errors
    /// A socket fails, the worker ends, or nothing of the kind comes in time.
    pub fn goes_on_until(
        &mut self,
        host: &mut impl Host,
        what: &str,
        mut enough: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), Failure> {
        let give_up_ns = clock::monotonic_ns() + PATIENCE_NS;
        loop {
            self.goes_on().map_err(|error| format!("{what}: {error}"))?;
            if enough(self) {
                return Ok(());
            }
            if let Some(failure) = self.failure.as_ref().filter(|_| !self.endpoint.has_keys()) {
                return Err(format!("{what} did not come: {failure}"));
            }
            if clock::monotonic_ns() > give_up_ns {
                return Err(format!("{what} did not come within {} s", PATIENCE_NS / 1_000_000_000));
            }
            host.rest()?;
        }
    }

    /// Whether an answer to a request was heard; it is not heard again.
    pub fn takes_answer(&mut self) -> bool {
        let at = self
            .heard
            .iter()
            .position(|heard| matches!(heard, Heard::Answer(answer) if answer.error.is_none()));
        at.is_some_and(|at| {
            self.heard.remove(at);
            true
        })
    }

    /// From the host's word to keys.
    ///
    /// # Errors
    /// It does not come to be.
    pub fn joins(&mut self, host: &mut impl Host) -> Result<(), Failure> {
        self.proves_its_way(host)?;
        host.connect(self.transport, &self.endpoint.fingerprint())?;
        self.endpoint.begins(now(), Role::Client);
        self.goes_on_until(host, "a handshake's end", |caller| caller.endpoint.has_keys())?;
        // Its last flight has to arrive, and may have to be said again.
        let give_up_ns = clock::monotonic_ns() + PATIENCE_NS;
        while host.dtls_state(self.transport)? != DtlsState::Connected {
            self.goes_on().map_err(|error| error.to_string())?;
            if clock::monotonic_ns() > give_up_ns {
                return Err("the worker does not come to know its peer".to_owned());
            }
            host.rest()?;
        }
        Ok(())
    }

    /// Asks until it is answered.
    ///
    /// # Errors
    /// It is not.
    pub fn proves_its_way(&mut self, host: &mut impl Host) -> Result<(), Failure> {
        self.asks().map_err(|error| error.to_string())?;
        self.goes_on_until(host, "an answer", Self::takes_answer)
    }

    fn receive(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut datagrams = Vec::new();
        match &mut self.carrier {
            Carrier::Udp(socket) => {
                let mut buffer = [0; DATAGRAM_BYTES_MAX];
                loop {
                    match socket.recv(&mut buffer) {
                        Ok(bytes) => datagrams.extend(buffer.get(..bytes).map(<[u8]>::to_vec)),
                        Err(error) if is_passing(&error) => return Ok(datagrams),
                        Err(error) => return Err(error),
                    }
                }
            }
            Carrier::Tcp(stream, half) => {
                self.is_closed |= read_all(stream, half)?;
                while let Some(frame) = next_frame(half) {
                    datagrams.push(frame);
                }
                Ok(datagrams)
            }
        }
    }
}

/// The moment, on the clock of endpoints.
pub fn now() -> Time {
    Time::from_nanos(clock::monotonic_ns())
}

/// What the stream has; whether it has ended.
fn read_all(stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(bytes) => into.extend(buffer.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(error) if is_passing(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// RFC 4571: two bytes of length, and so many bytes.
fn next_frame(half: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(half.get(..2)?.try_into().ok()?));
    let frame = half.get(2..2 + length)?.to_vec();
    half.drain(..2 + length);
    Some(frame)
}

/// A loopback connection takes what a caller has to say at once, or a moment later.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => clock::sleep_for(POLL_NS),
            // The worker has closed it, which the next read says.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused | ErrorKind::Interrupted)
}

const DATAGRAM_BYTES_MAX: usize = 2_048;
const POLL_NS: u64 = 50_000;
/// Long enough for a worker under valgrind on a busy machine.
const PATIENCE_NS: u64 = 60_000_000_000;
