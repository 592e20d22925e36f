//! Who sends what to whom: the rooms that benchmarks fill.
//!
//! Knows counts, traffic and routes; no sockets. Called by the benchmark program and `run`.

use crate::load::StreamPlan;
use crate::traffic::Traffic;

/// One benchmark's streams and routes. Sources and sinks are peers with a socket (and a transport) each.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// How many sending peers there are.
    pub sources: usize,
    /// How many receiving peers there are.
    pub sinks: usize,
    /// What is sent.
    pub streams: Vec<StreamPlan>,
    /// Which stream goes to which sink.
    pub routes: Vec<Route>,
    /// Which stream goes to which sending peer, who does not count what comes.
    pub watching_sources: Vec<(usize, usize)>,
}

/// One copy of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index into [`Scenario::streams`].
    pub stream: usize,
    /// Index of the receiving peer.
    pub sink: usize,
}

impl Scenario {
    /// One stream to `consumers` receiving peers.
    pub fn fanout(consumers: usize, traffic: Traffic) -> Self {
        let mut scenario = Self::new(format!("fanout {consumers}, {}", traffic.name()), 1, consumers);
        let stream = scenario.send(0, traffic, 0);
        (0..consumers).for_each(|sink| scenario.forward(stream, sink));
        scenario
    }

    /// Five peers, each with a video and an audio, all to all.
    pub fn room5(traffic: Traffic) -> Self {
        let mut scenario = Self::new(format!("room of 5, {}", traffic.name()), PEERS, PEERS);
        for peer in 0..PEERS {
            let start_us = phase_us(peer, PEERS);
            for stream in
                [scenario.send(peer, traffic, start_us), scenario.send(peer, Traffic::Opus, start_us)]
            {
                (0..PEERS).filter(|sink| *sink != peer).for_each(|sink| scenario.forward(stream, sink));
            }
        }
        scenario
    }

    /// Four rooms of one peer, whose three simulcast streams and audio come back to it.
    pub fn echo4() -> Self {
        let mut scenario = Self::new("4 echo rooms, vp8-720p-simulcast3".to_owned(), ROOMS, ROOMS);
        for room in 0..ROOMS {
            for traffic in ECHOED {
                let stream = scenario.send(room, traffic, phase_us(room, ROOMS));
                scenario.forward(stream, room);
            }
        }
        scenario
    }

    /// One stream to one consumer, and a second sending peer that has no stream: the one that floods.
    pub fn flood() -> Self {
        let mut scenario = Self::new("flood beside one stream, vp8-720p".to_owned(), 2, 1);
        let stream = scenario.send(0, Traffic::Vp8, 0);
        scenario.forward(stream, 0);
        scenario
    }

    /// A room of five, and a sixth sending peer that has no stream but gets one: the one that floods with feedback.
    pub fn flooded_room() -> Self {
        let mut scenario = Self::room5(Traffic::Vp8);
        scenario.name = "flood of RTCP beside a room of 5, vp8-720p".to_owned();
        scenario.watching_sources.push((0, scenario.sources));
        scenario.sources += 1;
        scenario
    }

    /// A room of five, in a worker whose WebRTC port is flooded with `what`.
    pub fn flooded_front(what: &str) -> Self {
        let name = format!("flood of {what} beside a room of 5, vp8-720p");
        Self { name, ..Self::room5(Traffic::Vp8) }
    }

    /// Peers that send and receive nothing.
    pub fn idle(peers: usize) -> Self {
        Self::new(format!("{peers} idle transports"), peers, 0)
    }

    /// Bytes of payload of a forwarded packet, on average over ten seconds of media.
    pub fn mean_payload_bytes(&self) -> usize {
        let (mut packets, mut bytes) = (0, 0);
        for stream in self.routes.iter().filter_map(|route| self.streams.get(route.stream)) {
            let mut schedule = stream.traffic.schedule(0);
            let mut step = schedule.next_step();
            while step.at_us < AVERAGED_US {
                (packets, bytes) = (packets + 1, bytes + usize::from(step.payload_bytes));
                step = schedule.next_step();
            }
        }
        bytes.checked_div(packets).unwrap_or(0)
    }

    fn new(name: String, sources: usize, sinks: usize) -> Self {
        Self { name, sources, sinks, streams: Vec::new(), routes: Vec::new(), watching_sources: Vec::new() }
    }

    fn send(&mut self, source: usize, traffic: Traffic, start_us: u64) -> usize {
        let number = self.streams.len();
        let ssrc = FIRST_SSRC + u32::try_from(number).unwrap_or(0);
        let payload_type = payload_type(traffic);
        self.streams.push(StreamPlan { traffic, source, ssrc, payload_type, start_us });
        number
    }

    fn forward(&mut self, stream: usize, sink: usize) {
        self.routes.push(Route { stream, sink });
    }
}

/// The payload type that sources use: one for each codec.
const fn payload_type(traffic: Traffic) -> u8 {
    use crate::traffic::media::Codec;
    match Codec::of(traffic) {
        Codec::Vp8 => 101,
        Codec::H264 => 103,
        Codec::Vp9 => 105,
        Codec::Opus => 100,
    }
}

/// Cameras of a room are not in phase: they start evenly spread over a frame.
fn phase_us(peer: usize, peers: usize) -> u64 {
    FRAME_US * peer as u64 / peers as u64
}

const PEERS: usize = 5;
const ROOMS: usize = 4;
const ECHOED: [Traffic; 4] =
    [Traffic::SimulcastLow, Traffic::SimulcastMiddle, Traffic::SimulcastHigh, Traffic::Opus];
const FIRST_SSRC: u32 = 0x1000_0000;
const FRAME_US: u64 = 33_333;
const AVERAGED_US: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_room_everybody_gets_everything_but_their_own() {
        let room = Scenario::room5(Traffic::Vp8);
        assert_eq!((room.streams.len(), room.routes.len()), (10, 40));
        assert!(room.routes.iter().all(|route| room.streams[route.stream].source != route.sink));
    }

    #[test]
    fn an_echo_comes_back_to_its_sender() {
        let echo = Scenario::echo4();
        assert_eq!((echo.streams.len(), echo.routes.len()), (16, 16));
        assert!(echo.routes.iter().all(|route| echo.streams[route.stream].source == route.sink));
    }

    #[test]
    fn streams_of_a_scenario_have_their_own_ssrc() {
        let ssrcs: std::collections::BTreeSet<u32> =
            Scenario::room5(Traffic::Vp8).streams.iter().map(|stream| stream.ssrc).collect();
        assert_eq!(ssrcs.len(), 10);
    }
}
