//! The SRTP engine against libsrtp: what one of them protects the other opens, and what both protect is the same.
//!
//! libsrtp runs in a process of its own, `peer.c`, which is built here with the system's compiler; without them these tests
//! fail, with a sentence that says how to get them. Packets are drawn: headers of every shape, several streams, wraps, and
//! what a network does to order.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tidegate_worker::base::time::Time;
use tidegate_worker::random::Random;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Body, Keys, Protect, Suite, Unprotect, UnprotectError};

/// For each suite and each way: 100,000 packets each way in all.
const PACKETS: usize = 25_000;
/// Requests on their way at once: their bytes fit into a pipe.
const AT_ONCE: usize = 16;

/// libsrtp's status of a packet that came before.
const REPLAYED: u8 = 9;

/// A running peer.
struct Libsrtp {
    child: Child,
    requests: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Libsrtp {
    fn start(suite: Suite, key: &[u8]) -> Self {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut child = Command::new(program())
            .args([suite.profile_id().to_string(), hex])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("what was built just now starts");
        let requests = BufWriter::new(child.stdin.take().unwrap());
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, answers }
    }

    /// What libsrtp makes of packets: its status, and the packet if that is 0.
    fn answers(&mut self, requests: &[(u8, Vec<u8>)]) -> Vec<(u8, Vec<u8>)> {
        for (verb, bytes) in requests {
            self.requests.write_all(&[*verb]).unwrap();
            self.requests.write_all(&u16::try_from(bytes.len()).unwrap().to_le_bytes()).unwrap();
            self.requests.write_all(bytes).unwrap();
        }
        self.requests.flush().unwrap();
        requests.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 3];
        self.answers.read_exact(&mut head).expect("libsrtp's process goes on");
        let mut bytes = vec![0; usize::from(u16::from_le_bytes([head[1], head[2]]))];
        self.answers.read_exact(&mut bytes).unwrap();
        (head[0], bytes)
    }

    fn end(self) {
        let Self { mut child, requests, .. } = self;
        drop(requests);
        assert!(child.wait().unwrap().success());
    }
}

/// The peer's program, built once for each test.
fn program() -> PathBuf {
    let name = std::thread::current().name().unwrap_or("main").replace("::", "_");
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("libsrtp-{name}"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libsrtp/peer.c");
    let hint = "run tests/scripts/install-tools libsrtp";
    let built = Command::new("cc")
        .args(["-O2", "-Wall", "-Werror", source, "-o"])
        .arg(&program)
        .arg("-lsrtp2")
        .output();
    let built = built.unwrap_or_else(|error| panic!("there is no C compiler ({error}); {hint}"));
    assert!(
        built.status.success(),
        "libsrtp does not build; {hint}\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    program
}

/// Draws packets of a few streams.
struct Draw {
    random: Random,
    /// SSRC and next number, which begins so that it soon wraps for the first time.
    streams: [(u32, u16); 3],
}

impl Draw {
    fn new(seed: u8) -> Self {
        let streams = [(0x1234_5678, 20_000), (7, 1), (u32::MAX, 32_767)];
        Self { random: Random::from_seed([seed; 32]), streams }
    }

    fn up_to(&mut self, most: u32) -> usize {
        self.random.in_range(0, most) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A plain RTP packet: CSRCs, extensions of both forms, padding, and sometimes no payload at all.
    fn rtp(&mut self) -> Vec<u8> {
        let which = self.up_to(2);
        let step = if self.up_to(9) == 0 { 1 + self.up_to(200) } else { 1 };
        let stream = &mut self.streams[which];
        stream.1 = stream.1.wrapping_add(u16::try_from(step).unwrap());
        let (ssrc, sequence) = *stream;
        let csrcs = if self.up_to(3) == 0 { self.up_to(15) } else { 0 };
        let extension_words = if self.up_to(1) == 0 { Some(self.up_to(12)) } else { None };
        let has_padding = self.up_to(7) == 0;
        let first = 0x80
            | u8::try_from(csrcs).unwrap()
            | u8::from(extension_words.is_some()) << 4
            | u8::from(has_padding) << 5;
        let mut packet = vec![first, 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend(self.bytes(4));
        packet.extend(ssrc.to_be_bytes());
        packet.extend(self.bytes(4 * csrcs));
        if let Some(words) = extension_words {
            packet.extend([0xBE, 0xDE]);
            packet.extend(u16::try_from(words).unwrap().to_be_bytes());
            packet.extend(self.bytes(4 * words));
        }
        let most = if self.up_to(1) == 0 { 160 } else { 1_200 };
        let payload = self.up_to(most);
        packet.extend(self.bytes(payload));
        if has_padding {
            packet.extend([0, 0, 0, 4]);
        }
        packet
    }

    /// A plain RTCP compound.
    fn rtcp(&mut self) -> Vec<u8> {
        let ssrc = self.streams[self.up_to(2)].0;
        let words = self.up_to(60);
        let mut compound = vec![0x80, 200 + u8::try_from(self.up_to(6)).unwrap()];
        compound.extend(u16::try_from(words + 1).unwrap().to_be_bytes());
        compound.extend(ssrc.to_be_bytes());
        compound.extend(self.bytes(4 * words));
        compound
    }

    /// RTP or, one time in eight, RTCP.
    fn either(&mut self) -> (bool, Vec<u8>) {
        let is_rtcp = self.up_to(7) == 0;
        (is_rtcp, if is_rtcp { self.rtcp() } else { self.rtp() })
    }

    /// The order in which packets arrive: neighbours change places, and some come twice.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for place in 1..count {
            if self.up_to(5) == 0 {
                order.swap(place, place - 1);
            }
        }
        let again = self.up_to(u32::try_from(count - 1).unwrap());
        order.push(again);
        order
    }
}

fn key_of(suite: Suite, draw: &mut Draw) -> (Vec<u8>, Keys) {
    let bytes = draw.bytes(suite.master_bytes());
    let keys = Keys::new(suite, &bytes).unwrap();
    (bytes, keys)
}

fn protect(session: &mut Protect, is_rtcp: bool, plain: &[u8]) -> Vec<u8> {
    if is_rtcp {
        let mut packet = [plain, &[0; 32]].concat();
        let bytes = session.rtcp(&mut packet, plain.len()).unwrap();
        packet.truncate(bytes);
        return packet;
    }
    let header_bytes = payload_offset(plain).unwrap();
    let mut packet = plain[..header_bytes].to_vec();
    packet.resize(plain.len() + session.suite().rtp_tag_bytes(), 0);
    let body = Body { header_bytes, payload_offset: header_bytes, payload: &plain[header_bytes..] };
    session.rtp(&mut packet, body).unwrap();
    packet
}

fn open(session: &mut Unprotect, is_rtcp: bool, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let bytes = match is_rtcp {
        true => session.rtcp(&mut packet, Time::ZERO)?,
        false => {
            let header_bytes = payload_offset(&packet).unwrap();
            session.rtp(&mut packet, header_bytes, Time::ZERO)?
        }
    };
    packet.truncate(bytes);
    Ok(packet)
}

/// Both protect the same packets; libsrtp opens ours, in another order and some twice.
fn ours_is_opened(suite: Suite) {
    let mut draw = Draw::new(1);
    let (key, keys) = key_of(suite, &mut draw);
    let (mut libsrtp, mut session) = (Libsrtp::start(suite, &key), Protect::new(&keys).unwrap());
    let mut replays = 0;
    for _ in 0..PACKETS.div_ceil(AT_ONCE) {
        let plains: Vec<_> = (0..AT_ONCE).map(|_| draw.either()).collect();
        let ours: Vec<_> =
            plains.iter().map(|(is_rtcp, plain)| protect(&mut session, *is_rtcp, plain)).collect();
        let same: Vec<_> = plains
            .iter()
            .map(|(is_rtcp, plain)| (if *is_rtcp { b'p' } else { b'P' }, plain.clone()))
            .collect();
        for (((is_rtcp, _), ours), (status, theirs)) in plains.iter().zip(&ours).zip(libsrtp.answers(&same)) {
            // libsrtp begins to count compounds at 1: the same bytes have another index there.
            assert!(status == 0 && (*is_rtcp || theirs == *ours), "{suite:?}: status {status}");
            assert_eq!(theirs.len(), ours.len());
        }
        let order = draw.order(AT_ONCE);
        let requests: Vec<_> =
            order.iter().map(|at| (if plains[*at].0 { b'u' } else { b'U' }, ours[*at].clone())).collect();
        let mut seen = [false; AT_ONCE];
        for (at, (status, opened)) in order.into_iter().zip(libsrtp.answers(&requests)) {
            if std::mem::replace(&mut seen[at], true) {
                assert_eq!(status, REPLAYED, "{suite:?}");
                replays += 1;
            } else {
                assert!(status == 0 && opened == plains[at].1, "{suite:?}: status {status}");
            }
        }
    }
    assert!(replays > 100);
    libsrtp.end();
}

/// We open what libsrtp protects, in another order and some twice.
fn theirs_is_opened(suite: Suite) {
    let mut draw = Draw::new(2);
    let (key, keys) = key_of(suite, &mut draw);
    let (mut libsrtp, mut session) = (Libsrtp::start(suite, &key), Unprotect::new(&keys).unwrap());
    for _ in 0..PACKETS.div_ceil(AT_ONCE) {
        let plains: Vec<_> = (0..AT_ONCE).map(|_| draw.either()).collect();
        let requests: Vec<_> = plains
            .iter()
            .map(|(is_rtcp, plain)| (if *is_rtcp { b'p' } else { b'P' }, plain.clone()))
            .collect();
        let theirs = libsrtp.answers(&requests);
        let mut seen = [false; AT_ONCE];
        for at in draw.order(AT_ONCE) {
            let (is_rtcp, plain) = &plains[at];
            let (status, packet) = &theirs[at];
            assert_eq!(*status, 0, "{suite:?}");
            let expected = if std::mem::replace(&mut seen[at], true) {
                Err(UnprotectError::Replayed)
            } else {
                Ok(plain.clone())
            };
            assert_eq!(open(&mut session, *is_rtcp, packet), expected, "{suite:?}");
        }
    }
    assert_eq!(session.streams(), (3, 3));
    libsrtp.end();
}

#[test]
fn aead_aes_256_gcm_is_libsrtp_s() {
    ours_is_opened(Suite::AeadAes256Gcm);
    theirs_is_opened(Suite::AeadAes256Gcm);
}

#[test]
fn aead_aes_128_gcm_is_libsrtp_s() {
    ours_is_opened(Suite::AeadAes128Gcm);
    theirs_is_opened(Suite::AeadAes128Gcm);
}

#[test]
fn aes_cm_128_hmac_sha1_80_is_libsrtp_s() {
    ours_is_opened(Suite::AesCm128HmacSha1_80);
    theirs_is_opened(Suite::AesCm128HmacSha1_80);
}

#[test]
fn aes_cm_128_hmac_sha1_32_is_libsrtp_s() {
    ours_is_opened(Suite::AesCm128HmacSha1_32);
    theirs_is_opened(Suite::AesCm128HmacSha1_32);
}
