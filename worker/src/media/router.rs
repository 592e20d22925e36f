//! Router: the room whose transports can consume each other's producers.
//!
//! Knows its transports. Packets do not pass here: a producer knows its consumers.

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::{ProducerConsumers, RouterDump};
use tidegate_protocol::ids::RouterId;

use crate::media::refused::Refused;
use crate::media::{EntityKey, RouterKey, Tables, TransportKey, transport};
use crate::turn::Turn;

/// A router's own state.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) id: RouterId,
    pub(crate) transports: Vec<TransportKey>,
}

const _: () = assert!(size_of::<Router>() <= 64);

/// Makes an empty router.
pub(crate) fn create(tables: &mut Tables, id: RouterId) -> Result<(), Refused> {
    tables.check_unused(id.into())?;
    let key = tables.routers.insert(Router { id, transports: Vec::new() });
    tables.ids.insert(id.into(), EntityKey::Router(key));
    Ok(())
}

/// Closes a router and all that it holds.
pub(crate) fn close(tables: &mut Tables, key: RouterKey, turn: &mut Turn<'_>) {
    let Some(router) = tables.routers.remove(key) else { return };
    tables.forget(router.id);
    for transport in router.transports {
        transport::close(tables, transport, turn);
    }
}

/// What a router holds.
pub(crate) fn dump(tables: &Tables, key: RouterKey) -> Option<RouterDump> {
    let router = tables.routers.get(key)?;
    let transports = router.transports.iter().filter_map(|key| tables.transports.get(*key));
    let producers = transports.clone().flat_map(|transport| &transport.producers);
    let producers = producers.filter_map(|key| tables.producers.get(*key));
    Some(RouterDump {
        router: router.id,
        transport_ids: List::first_of(transports.map(|transport| transport.id)),
        producer_consumers: List::first_of(producers.map(|producer| ProducerConsumers {
            producer: producer.id,
            consumers: List::first_of(tables.consumer_ids(&producer.consumers)),
        })),
        observer_ids: List::new(),
    })
}
