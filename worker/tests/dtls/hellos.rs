//! ClientHellos as they were sent by others: each is answered at once, in whatever order its datagrams come.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{BUFFER_BYTES, Certificate, Context, Dtls, Flights, Output, Role};

/// UDP payloads of a classic little-endian pcap file with Ethernet frames and IPv4 that look like DTLS, in order, with
/// the port that they came from.
fn dtls_datagrams(name: &str) -> Vec<(u16, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/captures").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!((&file[..4], &file[20..24]), ([0xD4, 0xC3, 0xB2, 0xA1].as_slice(), [1, 0, 0, 0].as_slice()));
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while let Some((record, after)) = rest.split_first_chunk::<16>() {
        let bytes = u32::from_le_bytes(record[8..12].try_into().unwrap());
        let (frame, after) = after.split_at(usize::try_from(bytes).unwrap());
        rest = after;
        let ip = &frame[14..];
        let udp = &ip[4 * usize::from(ip[0] & 0x0F)..];
        if ip[9] == 17 && (20..64).contains(&udp[8]) {
            found.push((u16::from_be_bytes([udp[0], udp[1]]), udp[8..].to_vec()));
        }
    }
    found
}

/// The first ClientHello: one datagram or two.
fn hello(name: &str) -> Vec<Vec<u8>> {
    let datagrams = dtls_datagrams(name);
    let client = datagrams[0].0;
    let first = datagrams.iter().take_while(|(port, _)| *port == client).map(|(_, datagram)| datagram);
    let is_hello = |datagram: &&Vec<u8>| datagram[0] == 22 && datagram[13] == 1;
    let offset = |datagram: &Vec<u8>| u32::from_be_bytes([0, datagram[19], datagram[20], datagram[21]]);
    let mut pieces: Vec<_> = first.filter(is_hello).cloned().collect();
    pieces.dedup_by_key(|datagram| offset(datagram));
    pieces.truncate(2);
    pieces
}

/// The kinds of the messages that answer, plaintext ones: ServerHello is 2.
fn answer(datagrams: &[Vec<u8>]) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
    let context = Context::new(Certificate::generate(1_800_000_000).unwrap(), Instant::now());
    let mut dtls = Dtls::new(Arc::new(context));
    let now = Time::from_millis(1);
    dtls.connect(now, Role::Server, Vec::new(), &mut Flights::new(8));
    for datagram in datagrams {
        dtls.receive(now, datagram, &mut Flights::new(8));
    }
    let mut buffer = [0; BUFFER_BYTES];
    let mut kinds = Vec::new();
    while let Some(output) = dtls.poll(now, &mut buffer) {
        let Output::Datagram(mut rest) = output else { panic!("{output:?}") };
        while rest.len() > 13 && rest[0] == 22 {
            kinds.push(rest[13]);
            let length = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            rest = &rest[13 + length..];
        }
    }
    kinds
}

/// ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone.
const DTLS12_FLIGHT: [u8; 5] = [2, 11, 12, 13, 14];
/// ServerHello; the rest is encrypted.
const DTLS13_FLIGHT: [u8; 1] = [2];

#[test]
fn hellos_of_others_are_answered_in_any_order_of_their_datagrams() {
    for (name, pieces, flight) in [
        ("handshake-chromium156-both-dtls13.pcap", 2, DTLS13_FLIGHT.as_slice()),
        ("handshake-chromium156-client-dtls12-ecdsa-serveraiortc.pcap", 2, &DTLS13_FLIGHT),
        ("handshake-gstreamer122-client-rsa-refused-by-str0m.pcap", 2, &DTLS12_FLIGHT),
        ("handshake-wrtc-client-str0m-server.pcap", 1, &DTLS12_FLIGHT),
        ("handshake-chromium156-server-aiortc-client.pcap", 1, &DTLS12_FLIGHT),
    ] {
        let mut hello = hello(name);
        assert_eq!(hello.len(), pieces, "{name}");
        assert_eq!(answer(&hello), flight, "{name}");
        hello.reverse();
        assert_eq!(answer(&hello), flight, "{name}, reversed");
        if pieces == 2 {
            assert!(
                answer(&hello[..1]).is_empty() && answer(&hello[1..]).is_empty(),
                "{name}: half was enough"
            );
            let again = [&hello[..1], &hello[..1], &hello].concat();
            assert_eq!(answer(&again), flight, "{name}, with repetitions");
        }
    }
}
