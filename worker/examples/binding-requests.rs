//! Nanoseconds for each binding request that is answered, beside what its cryptography costs alone.
//!
//!     cargo run --release -p tidegate-worker --example binding-requests
//!
//! With a number as argument it only answers that many, to be counted: `valgrind --tool=callgrind ... 10000`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tidegate_protocol::transport::Protocol;
use tidegate_worker::base::address::{Destination, SocketKey};
use tidegate_worker::base::time::Time;
use tidegate_worker::ice::stun::{BINDING, Class, IntegrityKey, Writer};
use tidegate_worker::ice::{ANSWER_BYTES_MAX, ConsentTimeout, Credentials, IceLite, Tuple, Verdict};

/// As a browser sends it.
fn request(by: &Credentials) -> Vec<u8> {
    let mut out = [0; 200];
    let mut writer = Writer::new(&mut out, Class::Request, BINDING, b"transaction!");
    writer.username(format!("{}:abcd", by.username_fragment.as_str()).as_bytes());
    writer.controlling(1);
    writer.use_candidate();
    writer.priority(0x6e7f_00ff);
    let key = IntegrityKey::new(by.password.as_str().as_bytes());
    let written = writer.finish(Some(&key)).unwrap_or(0);
    out.get(..written).unwrap_or_default().to_vec()
}

/// The best of some rounds, in nanoseconds for each call.
fn best(mut act: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..30 {
        #[expect(clippy::disallowed_methods, reason = "a benchmark's own clock")]
        let start = Instant::now();
        for _ in 0..10_000 {
            act();
        }
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e9 / 10_000.0
}

fn main() {
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    let peer = Credentials::random(&mut next);
    let (request, stranger) = (request(&peer), request(&Credentials::random(&mut next)));
    let mut ice = IceLite::new(peer, ConsentTimeout::default());
    let remote = ([192, 0, 2, 1], 5000).into();
    let path = Destination { socket: SocketKey::new(1, 1), remote, local_ip: None };
    let tuple = Tuple { path, protocol: Protocol::Udp };
    let mut out = [0; ANSWER_BYTES_MAX];
    let now = Time::from_millis(1);
    if let Some(count) = std::env::args().nth(1).and_then(|count| count.parse::<u32>().ok()) {
        for _ in 0..count {
            assert_eq!(ice.on_stun(now, &tuple, &request, &mut out).verdict, Verdict::Accepted);
        }
        return;
    }
    let answered = best(|| {
        let outcome = ice.on_stun(now, &tuple, black_box(&request), &mut out);
        assert_eq!(outcome.verdict, Verdict::Accepted);
    });
    let refused = best(|| {
        let outcome = ice.on_stun(now, &tuple, black_box(&stranger), &mut out);
        assert_ne!(outcome.verdict, Verdict::Accepted);
    });
    let Ok(key) = Hmac::<Sha1>::new_from_slice(&[7; 32]) else { return };
    let alone = best(|| {
        for bytes in [&request[..], &request[..32]] {
            let mut mac = key.clone();
            mac.update(black_box(bytes));
            black_box(mac.finalize());
        }
    });
    println!("request of {} bytes answered: {answered:.0} ns", request.len());
    println!("two HMAC-SHA1 with a ready key: {alone:.0} ns, ratio {:.2}", answered / alone);
    println!("request of a stranger refused: {refused:.0} ns, ratio {:.2}", refused / alone);
}
