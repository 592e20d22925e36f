//! `openssl s_client` and `s_server` as the other end, with ECDSA and RSA certificates.

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{
    BUFFER_BYTES, Certificate, Connected, Context, Dtls, Failure, Fingerprint, Flights, HashFunction, Output,
    Role, SrtpProfile, Version,
};

/// A process that ends with the test, and its files.
struct Peer {
    process: Child,
    stdout: BufReader<ChildStdout>,
    directory: PathBuf,
}

/// What an end of ours came to.
#[derive(Debug)]
enum Outcome {
    Connected(Box<Connected>),
    Failed(Failure),
    Closed,
}

struct End {
    socket: UdpSocket,
    dtls: Dtls,
    origin: Instant,
}

const KEYS: [(&str, &[&str]); 2] =
    [("ecdsa", &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]), ("rsa", &["rsa:2048"])];

#[test]
fn openssl_clients_connect_whatever_their_certificate_is() {
    for (name, key) in KEYS {
        for (profiles, chosen) in PROFILES {
            let (mut end, mut peer, fingerprint) = as_server(name, key, &["-use_srtp", profiles]);
            end.begin(Role::Server, fingerprint);
            let connected = end.connected();
            assert_eq!((connected.srtp_profile, connected.version), (chosen, Version::Dtls12), "{name}");
            assert_eq!(connected.cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
            assert_eq!(
                peer.keying_material(),
                material(&connected.remote, &connected.local),
                "{name} {profiles}"
            );
            peer.process.kill().unwrap();
        }
    }
}

#[test]
fn openssl_servers_take_us_whatever_their_certificate_is() {
    for (name, key) in KEYS {
        let (mut end, mut peer, fingerprint) = as_client(name, key, &["-use_srtp", "SRTP_AEAD_AES_128_GCM"]);
        end.begin(Role::Client, fingerprint);
        let connected = end.connected();
        assert_eq!(connected.srtp_profile, SrtpProfile::AeadAes128Gcm);
        assert!(connected.cipher.contains(&name.to_uppercase()), "{name}: {}", connected.cipher);
        assert_eq!(peer.keying_material(), material(&connected.local, &connected.remote), "{name}");
    }
}

#[test]
fn an_openssl_client_with_another_certificate_is_refused() {
    let (mut end, _peer, _) = as_server("ecdsa", KEYS[0].1, &["-use_srtp", PROFILES[0].0]);
    end.begin(Role::Server, Fingerprint::of(HashFunction::Sha256, b"another"));
    assert!(matches!(end.run(), Outcome::Failed(Failure::Fingerprint)));
}

#[test]
fn an_openssl_client_that_does_no_srtp_is_refused() {
    let (mut end, _peer, fingerprint) = as_server("ecdsa", KEYS[0].1, &[]);
    end.begin(Role::Server, fingerprint);
    // It sends its hello again after 1, 2 and 4 seconds, and only then it is certain.
    assert!(matches!(end.run(), Outcome::Failed(Failure::NoSrtp)));
}

#[test]
fn small_datagrams_of_a_peer_are_put_together() {
    let (mut end, _peer, fingerprint) =
        as_server("rsa", KEYS[1].1, &["-use_srtp", PROFILES[0].0, "-mtu", "256"]);
    end.begin(Role::Server, fingerprint);
    end.connected();
}

#[test]
fn openssl_hears_our_goodbye_and_we_hear_its() {
    let (mut end, mut peer, fingerprint) = as_server("ecdsa", KEYS[0].1, &["-use_srtp", PROFILES[0].0]);
    end.begin(Role::Server, fingerprint);
    end.connected();
    end.dtls.close(end.now());
    assert!(end.poll().is_none());
    let status = peer.process.wait().unwrap();
    assert!(status.success(), "{status}");

    let (mut end, mut peer, fingerprint) = as_server("ecdsa", KEYS[0].1, &["-use_srtp", PROFILES[0].0]);
    end.begin(Role::Server, fingerprint);
    end.connected();
    drop(peer.process.stdin.take());
    assert!(matches!(end.run(), Outcome::Closed));
}

const PROFILES: [(&str, SrtpProfile); 4] = [
    ("SRTP_AES128_CM_SHA1_80", SrtpProfile::AesCm128HmacSha1_80),
    ("SRTP_AES128_CM_SHA1_32", SrtpProfile::AesCm128HmacSha1_32),
    ("SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", SrtpProfile::AeadAes128Gcm),
    ("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM", SrtpProfile::AeadAes256Gcm),
];

/// Ours is the server: its socket, a client that was told of it, and the client's fingerprint.
fn as_server(name: &str, key: &[&str], options: &[&str]) -> (End, Peer, Fingerprint) {
    let end = End::new();
    let (directory, fingerprint) = make_certificate(name, key);
    let address = end.socket.local_addr().unwrap().to_string();
    let peer = Peer::spawn(directory, &[&["s_client", "-connect", &address], options].concat());
    (end, peer, fingerprint)
}

fn as_client(name: &str, key: &[&str], options: &[&str]) -> (End, Peer, Fingerprint) {
    let end = End::new();
    let (directory, fingerprint) = make_certificate(name, key);
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-verify", "1"];
    let mut peer = Peer::spawn(directory, &[&arguments, options].concat());
    let accepts = peer.line_after("ACCEPT ");
    end.socket.connect(accepts.trim()).unwrap();
    (end, peer, fingerprint)
}

/// In a directory of its own: `certificate.pem` and `key.pem`.
fn make_certificate(name: &str, key: &[&str]) -> (PathBuf, Fingerprint) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("dtls-{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
    std::fs::create_dir_all(&directory).unwrap();
    let mut request = Command::new("openssl");
    request
        .current_dir(&directory)
        .args(["req", "-x509", "-nodes", "-subj", "/CN=peer", "-newkey"])
        .args(key);
    let made = request.args(["-keyout", "key.pem", "-out", "certificate.pem"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let print = ["x509", "-in", "certificate.pem", "-noout", "-fingerprint", "-sha384"];
    let printed = Command::new("openssl").current_dir(&directory).args(print).output().unwrap();
    let text = String::from_utf8(printed.stdout).unwrap();
    let value = text.trim().split_once('=').unwrap().1;
    (directory, Fingerprint::parse("sha-384", value).unwrap())
}

fn material(client: &tidegate_worker::dtls::MasterKey, server: &tidegate_worker::dtls::MasterKey) -> String {
    let bytes = [client.key(), server.key(), client.salt(), server.salt()].concat();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Peer {
    fn spawn(directory: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.current_dir(&directory).args(arguments).args([
            "-dtls1_2",
            "-cert",
            "certificate.pem",
            "-key",
            "key.pem",
        ]);
        // As much as the longest profile needs; what is shorter is its beginning.
        command.args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "88"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("openssl: tests/scripts/install-tools openssl");
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { process, stdout, directory }
    }

    fn line_after(&mut self, begin: &str) -> String {
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "no {begin:?} in {said:?}");
            if let Some(rest) = line.trim_start().strip_prefix(begin) {
                return rest.to_owned();
            }
            said.push(line);
        }
    }

    /// All 88 bytes.
    fn keying_material(&mut self) -> KeyingMaterial {
        KeyingMaterial(self.line_after("Keying material: ").trim().to_owned())
    }
}

/// As OpenSSL exports it; equal to what begins it, for the profile says how much is used.
#[derive(Debug)]
struct KeyingMaterial(String);

impl PartialEq<String> for KeyingMaterial {
    fn eq(&self, ours: &String) -> bool {
        ours.len() >= 2 * 56 && self.0.starts_with(ours.as_str())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.stdout.read_to_end(&mut Vec::new());
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl End {
    #[expect(clippy::disallowed_methods, reason = "a peer of another make has the machine's clock")]
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let origin = Instant::now();
        let context = Context::new(Certificate::generate(1_800_000_000).unwrap(), origin);
        Self { socket, dtls: Dtls::new(Arc::new(context)), origin }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    fn begin(&mut self, role: Role, fingerprint: Fingerprint) {
        self.dtls.connect(self.now(), role, vec![fingerprint], &mut Flights::new(100));
    }

    fn connected(&mut self) -> Box<Connected> {
        match self.run() {
            Outcome::Connected(connected) => connected,
            other => panic!("{other:?}"),
        }
    }

    /// Until something is settled.
    fn run(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.poll() {
                return outcome;
            }
            let now = self.now();
            let due = self.dtls.next_deadline().map_or(Duration::from_secs(30), |at| at.since(now));
            self.socket.set_read_timeout(Some(due.max(Duration::from_millis(1)))).unwrap();
            let mut datagram = [0; 2_048];
            match self.socket.recv_from(&mut datagram) {
                Ok((bytes, from)) => {
                    self.socket.connect(from).unwrap();
                    self.dtls.receive(self.now(), &datagram[..bytes], &mut Flights::new(100));
                }
                Err(_) => {
                    assert!(now < Time::from_millis(60_000), "{:?}", self.dtls);
                    self.dtls.on_deadline(self.now());
                }
            }
        }
    }

    fn poll(&mut self) -> Option<Outcome> {
        let now = self.now();
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            match self.dtls.poll(now, &mut buffer)? {
                // A peer that has gone is no reason to fail here.
                Output::Datagram(datagram) => drop(self.socket.send(datagram)),
                Output::Data(_) => {}
                Output::Connected(connected) => {
                    // What comes with it is sent first.
                    while let Some(Output::Datagram(datagram)) = self.dtls.poll(now, &mut buffer) {
                        let _ = self.socket.send(datagram);
                    }
                    return Some(Outcome::Connected(connected));
                }
                Output::Closed => return Some(Outcome::Closed),
                Output::Failed(failure) => return Some(Outcome::Failed(failure)),
            }
        }
    }
}
