//! Agents of several transports on one socket, against a list.

use proptest::prelude::*;
use tidegate_protocol::transport::Protocol;

use super::*;
use crate::base::time::Time;
use crate::ice::stun::{BINDING, Class, IntegrityKey, Writer};
use crate::ice::{ANSWER_BYTES_MAX, ConsentTimeout, Credentials, IceLite, TUPLES_MAX, Verdict};
use crate::network::{Destination, SocketKey};
use crate::random::Random;

fn tuple(port: u16) -> Tuple {
    let path =
        Destination { socket: SocketKey::new(1, 1), remote: ([192, 0, 2, 1], port).into(), local_ip: None };
    Tuple { path, protocol: Protocol::Udp }
}

fn request(credentials: &Credentials) -> Vec<u8> {
    let mut out = [0; 200];
    let mut writer = Writer::new(&mut out, Class::Request, BINDING, &[9; 12]);
    writer.priority(1);
    writer.username(format!("{}:peer", credentials.username_fragment.as_str()).as_bytes());
    let key = IntegrityKey::new(credentials.password.as_str().as_bytes());
    let written = writer.finish(Some(&key)).unwrap();
    out[..written].to_vec()
}

/// Some transports' agents, by number, and what finds them.
struct Server {
    agents: Vec<IceLite>,
    routes: IceRoutes<usize>,
    random: Random,
}

impl Server {
    fn new(count: usize) -> Self {
        let mut random = Random::from_seed([3; 32]);
        let mut routes = IceRoutes::new(random.hasher());
        let agents: Vec<IceLite> = (0..count)
            .map(|_| IceLite::new(Credentials::random(|| random.next_u32()), ConsentTimeout::default()))
            .collect();
        for (number, agent) in agents.iter().enumerate() {
            routes.add_fragment(agent.credentials().username_fragment, number);
        }
        Self { agents, routes, random }
    }

    /// What a server does with a datagram.
    fn take(&mut self, port: u16, datagram: &[u8]) -> Option<usize> {
        let number = self.routes.find(&tuple(port), datagram)?;
        let mut out = [0; ANSWER_BYTES_MAX];
        let outcome = self.agents[number].on_stun(Time::from_millis(1), &tuple(port), datagram, &mut out);
        if let Some(before) = self.routes.follow(number, Some(&tuple(port)), &outcome.changes) {
            let _ = self.agents[before].remove(&tuple(port));
        }
        (outcome.verdict == Verdict::Accepted).then_some(number)
    }

    fn check(&mut self, number: usize, port: u16) -> Option<usize> {
        let datagram = request(self.agents[number].credentials());
        self.take(port, &datagram)
    }

    fn restart(&mut self, number: usize) {
        let fresh = Credentials::random(|| self.random.next_u32());
        self.routes.add_fragment(fresh.username_fragment, number);
        if let Some(gone) = self.agents[number].restart(Time::from_millis(1), fresh) {
            self.routes.remove_fragment(&gone);
        }
    }

    fn close(&mut self, number: usize) {
        for tuple in self.agents[number].tuples().iter() {
            self.routes.remove_tuple(tuple, number);
        }
        for fragment in self.agents[number].username_fragments() {
            self.routes.remove_fragment(&fragment);
        }
    }

    /// The tables hold just what the agents say.
    fn assert_exact(&self) {
        let tuples: usize = self.agents.iter().map(|agent| agent.tuples().len()).sum();
        assert_eq!(self.routes.tuples(), tuples);
        let fragments: usize = self.agents.iter().map(|agent| agent.username_fragments().count()).sum();
        assert_eq!(self.routes.fragments().count(), fragments);
        for (number, agent) in self.agents.iter().enumerate() {
            assert!(agent.tuples().len() <= TUPLES_MAX);
            assert!(agent.tuples().iter().all(|tuple| self.routes.find(tuple, &[0x80; 12]) == Some(number)));
            assert!(self.routes.fragments().filter(|(_, owner)| *owner == number).count() <= 2);
        }
    }
}

#[test]
fn a_request_finds_by_its_fragment_and_media_by_its_tuple() {
    let mut server = Server::new(2);
    assert_eq!(server.routes.find(&tuple(1), &[0x80; 12]), None);
    assert_eq!(server.check(1, 1), Some(1));
    assert_eq!(server.routes.find(&tuple(1), &[0x80; 12]), Some(1));
    let stranger = request(&Credentials::random(|| 5));
    assert_eq!(server.routes.find(&tuple(2), &stranger), None);
    assert_eq!(server.routes.find(&tuple(1), &stranger), Some(1), "to be refused by who is called there");
}

#[test]
fn a_peer_that_proves_another_transport_s_password_takes_its_address_along() {
    let mut server = Server::new(2);
    server.check(0, 1);
    server.check(0, 2);
    assert_eq!(server.check(1, 1), Some(1));
    assert_eq!(server.routes.find(&tuple(1), &[0x80; 12]), Some(1));
    assert_eq!(server.agents[0].tuples().len(), 1);
    server.assert_exact();
    let forged = request(&Credentials::random(|| 5));
    assert_eq!(server.take(2, &forged), None);
    assert_eq!(server.routes.find(&tuple(2), &[0x80; 12]), Some(0), "a forger takes nothing");
}

#[test]
fn what_is_closed_leaves_nothing() {
    let mut server = Server::new(300);
    for number in 0..300usize {
        for port in 0..10 {
            server.check(number, u16::try_from(number * 10 + port).unwrap());
        }
    }
    server.assert_exact();
    assert_eq!(server.routes.tuples(), 300 * TUPLES_MAX);
    (0..300).for_each(|number| server.close(number));
    assert_eq!((server.routes.tuples(), server.routes.fragments().count()), (0, 0));
    assert!(server.routes.tuples.capacity() < 16 && server.routes.fragments.capacity() < 16);
}

proptest! {
    #[test]
    fn tables_hold_just_what_the_agents_say(
        steps in prop::collection::vec((0usize..5, 0u16..30, 0u8..20), 1..150),
    ) {
        let mut server = Server::new(5);
        for (number, port, what) in steps {
            match what {
                0 => server.restart(number),
                1 => {
                    let _ = server.agents[number].remove(&tuple(port));
                    server.routes.remove_tuple(&tuple(port), number);
                }
                2 => {
                    let gone = server.agents[number].on_deadline(Time::from_millis(100_000));
                    for tuple in gone.iter().flat_map(|tuples| tuples.iter()) {
                        server.routes.remove_tuple(tuple, number);
                    }
                }
                _ => prop_assert_eq!(server.check(number, port), Some(number)),
            }
            server.assert_exact();
        }
    }
}
