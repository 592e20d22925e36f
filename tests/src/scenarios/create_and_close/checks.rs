//! Media through what exists, and everything that can be asked, compared with the model.
//!
//! Knows the model and the world. Does not change what exists but for the end.

use tidegate_protocol::dump::{ConsumerDump, ProducerDump, TransportDump};
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;

use super::super::Tally;
use super::super::ear::listen;
use super::actions::Story;

impl Story {
    /// Some producers' peers send a key frame or sound; it reaches whom it must, and nobody else.
    pub(super) fn media_flows(&mut self) {
        for _ in 0..3 {
            let producers: Vec<u64> = self.model.producers.keys().copied().collect();
            if producers.is_empty() {
                break;
            }
            let id = self.draw.pick(&producers);
            self.sends(id);
        }
        let millis = self.draw.millis(0, 60);
        self.world.run_for(millis);
        for on in self.model.transports.values() {
            let heard = listen(&mut self.world, on.peer);
            assert_eq!(heard.packets, [], "time alone sends nothing");
        }
    }

    fn sends(&mut self, id: u64) {
        let producer = self.model.producers.get_mut(&id).expect("it is there");
        let on = self.model.transports.get_mut(&producer.transport).expect("it is there");
        let passes = on.comedia || on.connected;
        on.connected |= on.comedia;
        let sent = match producer.sender.stream.pli {
            true => producer.sender.frame(true, &[200, 40]),
            false => vec![producer.sender.sound()],
        };
        producer.sender.sends(&mut self.world, &sent);
        producer.packets += if passes { sent.len() as u64 } else { 0 };
        for (transport, on) in &self.model.transports {
            let got = listen(&mut self.world, on.peer).packets;
            let consumers = self.model.consumers.values().filter(|consumer| consumer.transport == *transport);
            let open = consumers
                .filter(|consumer| passes && consumer.producer == id && self.model.is_open(consumer));
            let mut expected = 0;
            for consumer in open {
                let payloads = got.iter().filter(|packet| packet.ssrc == consumer.stream.ssrc);
                let payloads = payloads.map(|packet| &packet.payload);
                assert!(payloads.eq(sent.iter().map(|packet| &packet.payload)), "{id} to {consumer:?}");
                expected += sent.len();
            }
            assert_eq!(got.len(), expected, "nobody else gets anything");
        }
    }

    /// A question about an entity, or about none.
    pub(super) fn asks_about_anything(&mut self) {
        let ids = self.model.ids();
        let id = if ids.is_empty() { 5 } else { self.draw.pick(&ids) };
        let refusal = |is_there: bool| (!is_there).then_some(ErrorKind::NotFound);
        let (router, transport) = (RouterId(id), TransportId(id));
        let (producer, consumer) = (ProducerId(id), ConsumerId(id));
        let is_router = refusal(self.model.routers.contains_key(&id));
        let is_transport = refusal(self.model.transports.contains_key(&id));
        let is_producer = refusal(self.model.producers.contains_key(&id));
        let is_consumer = refusal(self.model.consumers.contains_key(&id));
        let questions = [
            (Command::DumpRouter { router }, is_router),
            (Command::DumpTransport { transport }, is_transport),
            (Command::GetTransportStats { transport }, is_transport),
            (Command::DumpProducer { producer }, is_producer),
            (Command::GetProducerStats { producer }, is_producer),
            (Command::DumpConsumer { consumer }, is_consumer),
            (Command::GetConsumerStats { consumer }, is_consumer),
            (Command::GetMetrics, None),
            (Command::DumpWorker, None),
        ];
        for (question, refusal) in questions {
            self.answers(question, refusal);
        }
    }

    /// Everything that exists, and how it hangs together.
    pub(super) fn compares_everything(&mut self) {
        let dump = self.world.dump();
        let routers: Vec<u64> = dump.router_ids.iter().map(|id| id.0).collect();
        assert_eq!(sorted(routers), self.model.routers.keys().copied().collect::<Vec<_>>());
        let counts = (dump.transports, dump.producers, dump.consumers);
        let model = &self.model;
        let expected = (model.transports.len(), model.producers.len(), model.consumers.len());
        assert_eq!(counts, (expected.0 as u64, expected.1 as u64, expected.2 as u64));
        let sockets = model.transports.values().map(|on| if on.plain.rtp == on.plain.rtcp { 1 } else { 2 });
        assert_eq!(dump.sockets, sockets.sum::<u64>());
        let routers: Vec<u64> = self.model.routers.keys().copied().collect();
        routers.into_iter().for_each(|id| self.compares_router(id));
        let transports: Vec<u64> = self.model.transports.keys().copied().collect();
        for id in transports {
            let dump = self.world.transport_dump(TransportId(id));
            self.compares_transport(id, &dump);
        }
        let producers: Vec<u64> = self.model.producers.keys().copied().collect();
        for id in producers {
            let dump = self.world.producer_dump(ProducerId(id));
            self.compares_producer(id, &dump);
        }
        let consumers: Vec<u64> = self.model.consumers.keys().copied().collect();
        for id in consumers {
            let dump = self.world.consumer_dump(ConsumerId(id));
            self.compares_consumer(id, &dump);
        }
    }

    fn compares_router(&mut self, id: u64) {
        let reply = self.answers(Command::DumpRouter { router: RouterId(id) }, None);
        let Some(Reply::RouterDump(dump)) = reply else { panic!("{reply:?}") };
        let transports: Vec<u64> = dump.transport_ids.iter().map(|id| id.0).collect();
        assert_eq!(transports, self.model.routers[&id]);
        let mut expected = Vec::new();
        for transport in &self.model.routers[&id] {
            let producers = self.model.producers_on(*transport).into_iter();
            expected.extend(producers.map(|producer| (producer, self.model.consumers_of(producer))));
        }
        let told = dump.producer_consumers.iter().map(|entry| {
            (entry.producer.0, entry.consumers.iter().map(|consumer| consumer.0).collect::<Vec<_>>())
        });
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    fn compares_transport(&self, id: u64, dump: &TransportDump) {
        let model = &self.model.transports[&id];
        assert_eq!(dump.router, RouterId(model.router));
        assert_eq!(ids(dump.producer_ids.iter().map(|id| id.0)), self.model.producers_on(id));
        assert_eq!(ids(dump.consumer_ids.iter().map(|id| id.0)), self.model.consumers_on(id));
        let received = dump.ssrc_table.iter().map(|entry| (entry.ssrc, entry.producer.0));
        let expected = self.model.producers.iter().filter(|(_, producer)| producer.transport == id);
        let expected = expected.map(|(id, producer)| (producer.sender.stream.ssrc, *id));
        assert_eq!(sorted(received.collect()), sorted(expected.collect()));
        assert!(dump.rtx_ssrc_consumers.is_empty(), "these consumers have none");
        let sent = dump.ssrc_consumers.iter().map(|entry| (entry.ssrc, entry.consumer.0));
        let expected = self.model.consumers.iter().filter(|(_, consumer)| consumer.transport == id);
        let expected = expected.map(|(id, consumer)| (consumer.stream.ssrc, *id));
        assert_eq!(sorted(sent.collect()), sorted(expected.collect()));
        let remote = dump.plain.as_ref().and_then(|plain| plain.tuple.remote_ip.zip(plain.tuple.remote_port));
        assert_eq!(remote, model.connected.then_some((model.peer.ip(), model.peer.port())));
    }

    fn compares_producer(&mut self, id: u64, dump: &ProducerDump) {
        let model = &self.model.producers[&id];
        assert_eq!((dump.transport.0, dump.paused), (model.transport, model.paused));
        assert_eq!(dump.kind, model.sender.stream.kind);
        assert_eq!(ids(dump.consumers.iter().map(|id| id.0)), self.model.consumers_of(id));
        assert_eq!(dump.streams.len(), usize::from(model.packets > 0), "made at the first packet");
        let expected = model.packets;
        if expected > 0 {
            assert_eq!(self.world.producer_stats(ProducerId(id)).packet_count, expected);
        }
    }

    fn compares_consumer(&self, id: u64, dump: &ConsumerDump) {
        let model = &self.model.consumers[&id];
        assert_eq!((dump.transport.0, dump.producer.0), (model.transport, model.producer));
        assert_eq!((dump.paused, dump.priority), (model.paused, model.priority));
        assert_eq!(dump.producer_paused, self.model.producers[&model.producer].paused);
        assert_eq!((dump.kind, dump.stream.ssrc), (model.stream.kind, model.stream.ssrc));
    }

    /// One router after the other, in any order.
    pub(super) fn closes_everything(&mut self) {
        let mut routers: Vec<u64> = self.model.routers.keys().copied().collect();
        self.draw.shuffle(&mut routers);
        for id in routers {
            self.model.close_router(id);
            self.answers(Command::CloseRouter { router: RouterId(id) }, None);
            self.compares_everything();
        }
        self.world.take_events();
        let dump = self.world.dump();
        assert_eq!((dump.transports, dump.producers, dump.consumers, dump.sockets), (0, 0, 0, 0));
        assert_eq!((dump.packets_in_use, self.world.pool().charged_bytes), (0, 0));
        // Timers of what is gone find nobody, and are not set again.
        self.world.run_for(20_000);
        assert!(!self.world.has_timers(), "an empty worker sleeps");
        assert_eq!(self.world.metric("timers"), 0);
    }

    /// What it all came to.
    pub(super) fn ends(self) -> Tally {
        self.world.finish()
    }
}

fn ids(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    ids.collect()
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}
