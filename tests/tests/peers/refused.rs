//! Who must not get in: OpenSSL on a real socket of loopback, which agrees on no SRTP, or shows another certificate than
//! was announced. The same peer with both right does get in.
//!
//! Knows OpenSSL's DTLS, and of ICE as much as proves a way. Does not know rooms.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{HandshakeError, Ssl, SslContext, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509Name};
use tidegate::{
    DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, IceParameters, RouterOptions, RtpCodecCapability,
    WebRtcTransport, WebRtcTransportOptions,
};
use tidegate_worker::ice::stun::{BINDING, Class, IntegrityKey, Writer};

use crate::peer::Role;
use crate::room::Room;

/// A trial for each way to be right or wrong, as DTLS client and as server.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, visit: Visit| Trial::test(name, move || both_roles(visit));
    vec![
        trial("openssl_as_announced_with_use_srtp_connects", RIGHT),
        trial(
            "a_peer_that_negotiates_no_use_srtp_fails",
            Visit { use_srtp: false, state: DtlsState::Failed, told: "no SRTP protection profile", ..RIGHT },
        ),
        trial(
            "a_peer_with_another_certificate_than_announced_fails",
            Visit {
                announced: false,
                state: DtlsState::Failed,
                told: "none of the given fingerprints",
                ..RIGHT
            },
        ),
    ]
}

/// How a peer comes, and what becomes of it.
#[derive(Clone, Copy, Debug)]
struct Visit {
    use_srtp: bool,
    /// Whether the fingerprint that the worker is told is its certificate's.
    announced: bool,
    state: DtlsState,
    /// In the worker's line about it.
    told: &'static str,
}

const RIGHT: Visit =
    Visit { use_srtp: true, announced: true, state: DtlsState::Connected, told: "AesCm128HmacSha1_80" };

fn both_roles(visit: Visit) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for role in [Role::Client, Role::Server] {
        let judged = runtime.block_on(comes(visit, role));
        judged.map_err(|failed| format!("{role:?}: {}", failed.message().unwrap_or("it failed")))?;
    }
    Ok(())
}

async fn comes(visit: Visit, role: Role) -> Result<(), Failed> {
    let room = Room::open().await?;
    let router = room.router(RouterOptions::new(vec![RtpCodecCapability::opus()])).await?;
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::on_server(&room.server())).await?;
    let identity = Identity::new()?;
    let announced = if visit.announced { identity.fingerprint()? } else { Identity::new()?.fingerprint()? };
    let told = if role == Role::Client { DtlsRole::Client } else { DtlsRole::Server };
    transport.connect(&DtlsParameters { role: told, fingerprints: vec![announced] }).await?;
    let way = Way::open(&transport)?;
    let (ice, context) = (transport.ice_parameters(), context(&identity, visit.use_srtp)?);
    let is_decided = Arc::new(AtomicBool::new(false));
    let decided = Arc::clone(&is_decided);
    let shaking = tokio::task::spawn_blocking(move || way.shakes_hands(&ice, &context, role, &decided));
    let settled = async {
        while matches!(transport.dtls_state(), DtlsState::New | DtlsState::Connecting) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // When it never does, the state says so.
    let _ = tokio::time::timeout(PATIENCE, settled).await;
    // Whatever OpenSSL makes of it: the worker decides who gets in.
    is_decided.store(true, Ordering::Relaxed);
    let has_shaken = shaking.await?;
    let (state, lines) = (transport.dtls_state(), room.handshakes());
    if state != visit.state || !lines.iter().any(|line| line.contains(visit.told)) {
        return Err(format!("DTLS is {state:?}, {lines:?}; OpenSSL: {has_shaken:?}").into());
    }
    transport.close();
    drop((transport, router));
    room.is_left_clean().await
}

/// A certificate with its key.
struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

impl Identity {
    fn new() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "peer")?;
        let name = name.build();
        let mut certificate = X509::builder()?;
        certificate.set_version(2)?;
        certificate.set_subject_name(&name)?;
        certificate.set_issuer_name(&name)?;
        certificate.set_pubkey(&key)?;
        let (from, to) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(30)?);
        certificate.set_not_before(&from)?;
        certificate.set_not_after(&to)?;
        certificate.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: certificate.build(), key })
    }

    fn fingerprint(&self) -> Result<DtlsFingerprint, ErrorStack> {
        let digest = self.certificate.digest(MessageDigest::sha256())?;
        let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(DtlsFingerprint { algorithm: "sha-256".to_owned(), value: pairs.join(":") })
    }
}

fn context(identity: &Identity, use_srtp: bool) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::dtls())?;
    context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_certificate(&identity.certificate)?;
    context.set_private_key(&identity.key)?;
    // Whom it talks to is not what is tested here.
    context.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
    context.set_options(SslOptions::NO_QUERY_MTU);
    if use_srtp {
        context.set_tlsext_use_srtp("SRTP_AES128_CM_SHA1_80")?;
    }
    Ok(context.build())
}

/// A socket that speaks to a transport's UDP candidate.
#[derive(Debug)]
struct Way(UdpSocket);

impl Way {
    fn open(transport: &WebRtcTransport) -> Result<Self, Failed> {
        let candidates = transport.ice_candidates();
        let udp = candidates.iter().find(|candidate| candidate.tcp_type.is_none()).ok_or("no candidate")?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(SocketAddr::new(udp.address.parse()?, udp.port))?;
        socket.set_read_timeout(Some(LOOK_AGAIN))?;
        Ok(Self(socket))
    }

    /// Proves its way, then lets OpenSSL do as it likes until all is decided. Why it ended, if not well.
    fn shakes_hands(
        mut self,
        ice: &IceParameters,
        context: &SslContext,
        role: Role,
        is_decided: &AtomicBool,
    ) -> Result<(), String> {
        self.proves_itself(ice).map_err(|error| error.to_string())?;
        let mut ssl = Ssl::new(context).map_err(|error| error.to_string())?;
        ssl.set_mtu(MTU).map_err(|error| error.to_string())?;
        let mut shaken = if role == Role::Client { ssl.connect(self) } else { ssl.accept(self) };
        loop {
            shaken = match shaken {
                Ok(_) => return Ok(()),
                Err(HandshakeError::WouldBlock(waits)) if !is_decided.load(Ordering::Relaxed) => {
                    waits.handshake()
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// A binding request that nominates (RFC 8445 7.2.4), until it is answered.
    fn proves_itself(&mut self, ice: &IceParameters) -> io::Result<()> {
        let mut out = [0; 256];
        let mut request = Writer::new(&mut out, Class::Request, BINDING, b"peers refuse");
        request.username(format!("{}:peer", ice.username_fragment).as_bytes());
        request.priority(1_845_501_695);
        request.controlling(1);
        request.use_candidate();
        let key = IntegrityKey::new(ice.password.as_bytes());
        let bytes = request.finish(Some(&key)).ok_or(io::ErrorKind::InvalidInput)?;
        self.0.send(&out[..bytes])?;
        let mut answer = [0; 1_500];
        for _ in 0..READS_MAX {
            match self.read(&mut answer) {
                Ok(1..) if answer.starts_with(&SUCCESS) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Read for Way {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }
}

impl Write for Way {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Longer than the worker's own with a handshake, which is 30 s.
const PATIENCE: Duration = Duration::from_secs(40);
/// Each takes [`LOOK_AGAIN`] at most.
const READS_MAX: u32 = 1_000;
const MTU: u32 = 1_200;
/// The type of a binding success response (RFC 8489 5).
const SUCCESS: [u8; 2] = [0x01, 0x01];
