//! Host candidates: what a peer is told of our addresses (RFC 8445 5.1).
//!
//! Knows addresses and preferences. Does not know sockets. Called when a transport is made, and for its dump.

use std::net::SocketAddr;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::transport::{ListenInfo, Protocol};
use tidegate_protocol::webrtc::IceCandidate;

/// Which protocol comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// UDP gets a higher priority.
    pub prefer_udp: bool,
    /// TCP gets a higher priority.
    pub prefer_tcp: bool,
}

/// The candidates of a transport that listens so and was bound there, earlier ones at higher priorities.
pub fn host_candidates<'a>(
    listens: impl IntoIterator<Item = (&'a ListenInfo, SocketAddr)>,
    preference: Preference,
) -> Vec<IceCandidate> {
    let mut candidates = Vec::new();
    for (place, (info, local)) in (0..).zip(listens) {
        let local_preference = preference.of(info.protocol, place);
        let candidate = |address, local_preference| IceCandidate {
            foundation: Text::clipped(foundation(info.protocol)),
            priority: priority(local_preference),
            address,
            protocol: info.protocol,
            port: local.port(),
        };
        let internal = Text::clipped(&local.ip().to_string());
        match &info.announced_address {
            None => candidates.push(candidate(internal, local_preference)),
            Some(announced) => {
                candidates.push(candidate(announced.clone(), local_preference));
                if info.expose_internal_ip {
                    let lower = local_preference.saturating_sub(INTERNAL_DECREMENT);
                    candidates.push(candidate(internal, lower));
                }
            }
        }
    }
    candidates
}

impl Preference {
    fn of(self, protocol: Protocol, place: u16) -> u16 {
        let preferred = match protocol {
            Protocol::Udp => self.prefer_udp,
            Protocol::Tcp => self.prefer_tcp,
        };
        let more = if preferred { PREFERRED_INCREMENT } else { 0 };
        LOCAL_PREFERENCE.saturating_sub(PLACE_DECREMENT.saturating_mul(place)) + more
    }
}

/// The same for all candidates of a protocol: they share a base and a server, which is none.
const fn foundation(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udpcandidate",
        Protocol::Tcp => "tcpcandidate",
    }
}

/// RFC 8445 5.1.2.1, for component 1.
fn priority(local_preference: u16) -> u32 {
    (HOST_TYPE_PREFERENCE << 24) + (u32::from(local_preference) << 8) + 255
}

/// Half of what RFC 8445 recommends for hosts, as the field has it: a relayed way of the peer's may still win.
const HOST_TYPE_PREFERENCE: u32 = 64;
const LOCAL_PREFERENCE: u16 = 10_000;
/// Each further address is worth so much less.
const PLACE_DECREMENT: u16 = 100;
const PREFERRED_INCREMENT: u16 = 1_000;
const INTERNAL_DECREMENT: u16 = 1_000;

#[cfg(test)]
mod tests {
    use tidegate_protocol::transport::ListenPort;

    use super::*;

    fn listen(protocol: Protocol, local: &str) -> (ListenInfo, SocketAddr) {
        let local: SocketAddr = local.parse().unwrap();
        let info = ListenInfo {
            protocol,
            ip: local.ip(),
            announced_address: None,
            expose_internal_ip: false,
            port: ListenPort::Any,
            shared: false,
            ipv6_only: false,
            udp_reuse_port: false,
            send_buffer_bytes: 0,
            receive_buffer_bytes: 0,
        };
        (info, local)
    }

    fn candidates(listens: &[(ListenInfo, SocketAddr)], preference: Preference) -> Vec<IceCandidate> {
        host_candidates(listens.iter().map(|(info, local)| (info, *local)), preference)
    }

    fn shown(candidates: &[IceCandidate]) -> Vec<(&str, u32, &str, u16)> {
        let shown = candidates.iter();
        shown.map(|c| (c.foundation.as_str(), c.priority, c.address.as_str(), c.port)).collect()
    }

    #[test]
    fn the_first_has_the_field_s_priority_and_later_ones_less() {
        let listens =
            [listen(Protocol::Udp, "192.0.2.1:40000"), listen(Protocol::Tcp, "[2001:db8::1]:40001")];
        assert_eq!(
            shown(&candidates(&listens, Preference::default())),
            [
                ("udpcandidate", 1_076_302_079, "192.0.2.1", 40_000),
                ("tcpcandidate", 1_076_302_079 - 25_600, "2001:db8::1", 40_001)
            ]
        );
    }

    #[test]
    fn a_preferred_protocol_comes_first_wherever_it_stands() {
        let listens = [listen(Protocol::Udp, "192.0.2.1:1"), listen(Protocol::Tcp, "192.0.2.1:2")];
        let preference = Preference { prefer_tcp: true, ..Preference::default() };
        let priorities: Vec<u32> =
            candidates(&listens, preference).iter().map(|candidate| candidate.priority).collect();
        assert_eq!(priorities, [1_076_302_079, 1_076_302_079 + 256 * 900]);
    }

    #[test]
    fn an_announced_name_hides_the_address_unless_it_is_to_be_exposed() {
        let mut listens = [listen(Protocol::Udp, "10.0.0.1:5")];
        listens[0].0.announced_address = Some(Text::clipped("sfu.example"));
        let hidden = candidates(&listens, Preference::default());
        assert_eq!(shown(&hidden), [("udpcandidate", 1_076_302_079, "sfu.example", 5)]);
        listens[0].0.expose_internal_ip = true;
        assert_eq!(
            shown(&candidates(&listens, Preference::default())),
            [
                ("udpcandidate", 1_076_302_079, "sfu.example", 5),
                ("udpcandidate", 1_076_302_079 - 256_000, "10.0.0.1", 5)
            ]
        );
    }

    #[test]
    fn a_thousand_addresses_still_have_priorities() {
        let listens = vec![listen(Protocol::Udp, "192.0.2.1:1"); 1_000];
        let candidates = candidates(&listens, Preference::default());
        assert!(candidates.is_sorted_by_key(|candidate| std::cmp::Reverse(candidate.priority)));
        assert_eq!(candidates.last().map(|last| last.priority), Some((64 << 24) + 255));
    }
}
