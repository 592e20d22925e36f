//! A worker under a flood: the host, quiet sockets and the end of the pipe still get their turn.

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use tidegate_protocol::ids::{RequestId, RouterId, TransportId};
    use tidegate_protocol::message::FromWorker;
    use tidegate_protocol::request::Command;
    use tidegate_protocol::response::Reply;
    use tidegate_protocol::transport::{ListenInfo, ListenPort, PlainTransportOptions, Protocol};

    use crate::harness::{Worker, now, request};

    /// A worker with plain transports, each flooded from a thread of its own while the floods run.
    struct Flooded {
        worker: Worker,
        request: u64,
        stop: Arc<AtomicBool>,
        floods: Vec<JoinHandle<u64>>,
    }

    impl Flooded {
        fn new() -> Self {
            let mut flooded = Self {
                worker: Worker::greeted(&[]),
                request: 0,
                stop: Arc::new(AtomicBool::new(false)),
                floods: Vec::new(),
            };
            flooded.ask(Command::CreateRouter { router: RouterId(1) });
            flooded
        }

        fn ask(&mut self, command: Command) -> Reply {
            self.request += 1;
            self.worker.say(&request(self.request, command));
            loop {
                match self.worker.next() {
                    Some(FromWorker::Response { id, result }) if id == RequestId(self.request) => {
                        return result.unwrap();
                    }
                    Some(FromWorker::Event(_) | FromWorker::Log { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
        }

        fn transport(&mut self, id: u64) -> SocketAddr {
            let listen_info = ListenInfo {
                protocol: Protocol::Udp,
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                announced_address: None,
                expose_internal_ip: false,
                port: ListenPort::Fixed(0),
                shared: false,
                ipv6_only: false,
                udp_reuse_port: false,
                send_buffer_bytes: 0,
                receive_buffer_bytes: 0,
            };
            let options = PlainTransportOptions {
                listen_info,
                rtcp_listen_info: None,
                rtcp_mux: true,
                comedia: true,
                srtp: None,
            };
            let transport = TransportId(id);
            match self.ask(Command::CreatePlainTransport { router: RouterId(1), transport, options }) {
                Reply::PlainTransport(tuples) => (Ipv4Addr::LOCALHOST, tuples.tuple.local_port).into(),
                other => panic!("{other:?}"),
            }
        }

        fn flood(&mut self, id: u64) {
            let target = self.transport(id);
            let stop = Arc::clone(&self.stop);
            self.floods.push(std::thread::spawn(move || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let mut packet = [0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 7];
                    packet[2..4].copy_from_slice(&u16::try_from(sent & 0xffff).unwrap().to_be_bytes());
                    sent += u64::from(socket.send_to(&packet, target).is_ok());
                }
                sent
            }));
        }

        /// Waits until the worker has looked at so many packets of a transport.
        fn wait_for(&mut self, id: u64, packets: u64) {
            let asked = now();
            while self.received(id) < packets {
                assert!(
                    now().duration_since(asked) < Duration::from_secs(5),
                    "{packets} packets were not read"
                );
            }
        }

        fn received(&mut self, id: u64) -> u64 {
            match self.ask(Command::GetTransportStats { transport: TransportId(id) }) {
                // Nobody announced these SSRCs: that each packet was looked at is what counts here.
                Reply::TransportStats(stats) => stats.dropped.unknown_ssrc,
                other => panic!("{other:?}"),
            }
        }
    }

    impl Drop for Flooded {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            for flood in self.floods.drain(..) {
                assert!(flood.join().is_ok_and(|sent| sent > 0));
            }
        }
    }

    #[test]
    fn requests_are_answered_and_quiet_sockets_read_while_others_are_flooded() {
        let mut flooded = Flooded::new();
        flooded.flood(10);
        flooded.flood(11);
        flooded.wait_for(10, 1_000);
        flooded.wait_for(11, 1_000);
        let before = flooded.received(10);
        let quiet = flooded.transport(12);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 1..=100_u8 {
            client.send_to(&[0x80, 96, 0, number, 0, 0, 0, 0, 0, 0, 0, 5, 1], quiet).unwrap();
            flooded.wait_for(12, u64::from(number));
        }
        let Reply::Metrics(metrics) = flooded.ask(Command::GetMetrics) else { panic!("no metrics") };
        let turns = metrics.value("turns").unwrap();
        let longest = metrics.histogram("datagrams_per_turn").unwrap().buckets.iter().rposition(|n| *n > 0);
        assert!(turns > 100 && longest <= Some(10), "{turns} turns, {longest:?}");
        // The flood is read as well.
        flooded.wait_for(10, before + 1_000);
    }

    #[test]
    fn the_end_of_the_pipe_is_noticed_in_a_flood() {
        let mut flooded = Flooded::new();
        flooded.flood(10);
        flooded.flood(11);
        flooded.wait_for(10, 1_000);
        flooded.wait_for(11, 1_000);
        flooded.worker.input = None;
        assert_eq!(flooded.worker.exit_code(), Some(0));
    }

    #[test]
    fn a_signal_is_noticed_in_a_flood() {
        let mut flooded = Flooded::new();
        flooded.flood(10);
        flooded.flood(11);
        flooded.wait_for(10, 1_000);
        flooded.worker.signal("TERM");
        assert_eq!(flooded.worker.exit_code(), Some(0));
    }
}
