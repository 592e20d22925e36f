//! What a binding request costs: no allocation, answered or refused, however many come.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::transport::Protocol;
use tidegate_worker::base::address::{Destination, SocketKey};
use tidegate_worker::base::time::Time;
use tidegate_worker::ice::stun::{BINDING, Class, IntegrityKey, Writer};
use tidegate_worker::ice::{ANSWER_BYTES_MAX, ConsentTimeout, Credentials, IceLite, Tuple, Verdict};

fn request(by: &Credentials) -> Vec<u8> {
    let mut out = [0; 200];
    let mut writer = Writer::new(&mut out, Class::Request, BINDING, b"transaction!");
    writer.username(format!("{}:abcd", by.username_fragment.as_str()).as_bytes());
    writer.controlling(1);
    writer.use_candidate();
    writer.priority(0x6e7f_00ff);
    let key = IntegrityKey::new(by.password.as_str().as_bytes());
    let written = writer.finish(Some(&key)).expect("there is room");
    out[..written].to_vec()
}

fn tuple(port: u16) -> Tuple {
    let remote = ([192, 0, 2, 1], port).into();
    Tuple {
        path: Destination { socket: SocketKey::new(1, 1), remote, local_ip: None },
        protocol: Protocol::Udp,
    }
}

#[test]
fn a_flood_of_requests_right_and_wrong_allocates_nothing() {
    let mut number = 0;
    let mut credentials = || {
        Credentials::random(|| {
            number += 1;
            number
        })
    };
    let (peer, stranger) = (credentials(), credentials());
    let mut ice = IceLite::new(peer.clone(), ConsentTimeout::default());
    let (right, wrong) = (request(&peer), request(&stranger));
    let mut out = [0; ANSWER_BYTES_MAX];
    let now = Time::from_millis(1);
    // Room for all ways that there may be is made with the first ones.
    for port in 0..8 {
        assert_eq!(ice.on_stun(now, &tuple(port), &right, &mut out).verdict, Verdict::Accepted);
    }
    let counted = allocation_counter::measure(|| {
        for round in 0..10_000_u16 {
            assert_eq!(ice.on_stun(now, &tuple(round), &right, &mut out).verdict, Verdict::Accepted);
            assert_ne!(ice.on_stun(now, &tuple(round), &wrong, &mut out).verdict, Verdict::Accepted);
            assert_eq!(ice.on_stun(now, &tuple(round), &right[1..], &mut out).verdict, Verdict::Ignored);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(
        (ice.stats().requests, ice.stats().unauthenticated, ice.stats().ignored),
        (10_008, 10_000, 10_000)
    );
}
