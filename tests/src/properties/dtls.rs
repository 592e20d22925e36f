//! Two ends of DTLS and somebody between them who drops, repeats, changes, holds back and invents datagrams.
//!
//! Knows the public face of `tidegate_worker::dtls`. Called through [`super::ALL`].
//! Invariant: the property panics only where the worker is wrong, whatever the bytes are. Keys are random, so two runs
//! of one script differ in what a changed byte hits, not in what may come of it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{
    BUFFER_BYTES, Certificate, Connected, Context, Dtls, Fingerprint, Flights, HashFunction, Output, Role,
    Version,
};

/// The first byte says who offers what; the others are what happens to datagrams.
pub fn dtls(data: &[u8]) {
    both_connect(data);
}

/// The same; answers whether both ends connected.
pub fn both_connect(data: &[u8]) -> bool {
    let Some((first, mut script)) = data.split_first() else { return false };
    let [client, server] = if first & 1 == 0 { contexts(Version::Dtls12) } else { contexts(Version::Dtls13) };
    let mut now = Time::from_millis(1);
    let mut ends = [End::new(client, server), End::new(server, client)];
    ends[0].dtls.connect(now, Role::Client, fingerprint(server), &mut Flights::new(8));
    ends[1].dtls.connect(now, Role::Server, fingerprint(client), &mut Flights::new(8));
    for _ in 0..STEPS_MAX {
        for end in &mut ends {
            end.drain(now);
        }
        let mut byte = || {
            let (first, rest) = script.split_first()?;
            script = rest;
            Some(*first)
        };
        let Some(what) = byte() else { break };
        let at = usize::from(what & 1);
        let datagram = ends[at].sent.pop_front();
        let other = &mut ends[1 - at];
        let mut flights = Flights::new(u32::from(what >> 6));
        match (what >> 1 & 7, datagram) {
            (0..=2, Some(datagram)) => other.dtls.receive(now, &datagram, &mut flights),
            (3, Some(mut datagram)) => {
                let place = usize::from(byte().unwrap_or(0)) * 5 + usize::from(byte().unwrap_or(0));
                let count = datagram.len();
                if let Some(changed) = datagram.get_mut(place % count.max(1)) {
                    *changed ^= byte().unwrap_or(1);
                }
                other.dtls.receive(now, &datagram, &mut flights);
            }
            (4, Some(datagram)) => {
                other.dtls.receive(now, &datagram, &mut flights);
                other.dtls.receive(now, &datagram, &mut flights);
                ends[at].sent.push_back(datagram);
            }
            (5, Some(datagram)) => {
                let cut = usize::from(byte().unwrap_or(0)) * 4;
                other.dtls.receive(now, datagram.get(..cut).unwrap_or(&datagram), &mut flights);
            }
            (6, _) => {
                let (invented, rest) = script.split_at(script.len().min(usize::from(what >> 4) * 4));
                script = rest;
                other.dtls.receive(now, invented, &mut flights);
            }
            // Lost.
            (7, Some(_)) => {}
            _ => {
                now = now + Duration::from_millis(u64::from(byte().unwrap_or(10)) * 4);
                ends.iter_mut().for_each(|end| end.on_time(now));
            }
        }
    }
    agree(&ends)
}

/// Two ends that connected have the same keys.
fn agree([client, server]: &[End; 2]) -> bool {
    let Some((client, server)) = client.connected.as_ref().zip(server.connected.as_ref()) else {
        return false;
    };
    assert_eq!(client.srtp_profile, server.srtp_profile);
    assert_eq!(client.local.key(), server.remote.key());
    assert_eq!(client.remote.salt(), server.local.salt());
    assert_eq!(client.version, server.version);
    true
}

struct End {
    dtls: Dtls,
    sent: VecDeque<Vec<u8>>,
    connected: Option<Box<Connected>>,
    is_over: bool,
    /// The certificate that it may connect to.
    expects: Vec<u8>,
}

impl End {
    fn new(context: &Arc<Context>, peer: &Context) -> Self {
        let expects = peer.certificate().der().to_vec();
        Self {
            dtls: Dtls::new(Arc::clone(context)),
            sent: VecDeque::new(),
            connected: None,
            is_over: false,
            expects,
        }
    }

    fn on_time(&mut self, now: Time) {
        self.dtls.resume(now, &mut Flights::new(8));
        if self.dtls.next_deadline().is_some_and(|at| at <= now) {
            self.dtls.on_deadline(now);
        }
    }

    fn drain(&mut self, now: Time) {
        let mut buffer = [0; BUFFER_BYTES];
        for _ in 0..OUTPUTS_MAX {
            match self.dtls.poll(now, &mut buffer) {
                None => return,
                Some(Output::Datagram(datagram)) => {
                    assert!(!datagram.is_empty() && datagram.len() <= 1_500);
                    self.sent.push_back(datagram.to_vec());
                }
                Some(Output::Data(_)) => panic!("nobody sent data"),
                Some(Output::Connected(connected)) => {
                    assert!(self.connected.is_none() && !self.is_over);
                    assert_eq!(connected.peer_certificate, self.expects);
                    self.connected = Some(connected);
                }
                Some(Output::Closed) => {
                    assert!(!self.is_over && self.connected.is_some());
                    self.is_over = true;
                }
                Some(Output::Failed(_)) => {
                    assert!(!self.is_over && self.connected.is_none());
                    self.is_over = true;
                }
            }
        }
        panic!("poll never ends");
    }
}

fn fingerprint(of: &Context) -> Vec<Fingerprint> {
    vec![Fingerprint::of(HashFunction::Sha256, of.certificate().der())]
}

/// A client's and a server's, made once.
fn contexts(version: Version) -> &'static [Arc<Context>; 2] {
    static CONTEXTS: OnceLock<[[Arc<Context>; 2]; 2]> = OnceLock::new();
    let all = CONTEXTS.get_or_init(|| {
        [Version::Dtls12, Version::Dtls13].map(|version| {
            [(); 2].map(|()| {
                #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
                let origin = Instant::now();
                let certificate =
                    Certificate::generate(1_800_000_000).expect("the system gives random numbers");
                Arc::new(Context::new(certificate, origin).offering(version))
            })
        })
    });
    &all[usize::from(version == Version::Dtls13)]
}

/// A handshake takes eight or so; each may cost a millisecond.
const STEPS_MAX: usize = 60;
/// Of one call: a flight, an event, what is left of an end.
const OUTPUTS_MAX: usize = 40;
