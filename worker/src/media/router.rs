//! Router: the room whose transports can consume each other's producers.
//!
//! Knows its transports and observers. Packets do not pass here: a producer knows its consumers.

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::{ProducerConsumers, ProducerObservers, RouterDump};
use tidegate_protocol::ids::RouterId;

use crate::media::observer::ObserverKey;
use crate::media::refused::Refused;
use crate::media::{EntityKey, RouterKey, Tables, TransportKey, observer, transport};
use crate::outbox::LogTag;
use crate::turn::Turn;

/// A router's own state.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) id: RouterId,
    pub(crate) transports: Vec<TransportKey>,
    /// Most routers have none.
    observers: Option<Box<Observers>>,
}

const _: () = assert!(size_of::<Router>() <= 40);

/// The observers of a router that has some.
#[derive(Debug, Default)]
struct Observers(Vec<ObserverKey>);

impl Router {
    /// Its observers in the order of their creation.
    pub(crate) fn observers(&self) -> &[ObserverKey] {
        self.observers.as_ref().map_or(&[], |observers| &observers.0)
    }

    pub(crate) fn add_observer(&mut self, key: ObserverKey) {
        self.observers.get_or_insert_default().0.push(key);
    }

    pub(crate) fn remove_observer(&mut self, key: ObserverKey) {
        self.observers.take_if(|observers| {
            observers.0.retain(|other| *other != key);
            observers.0.is_empty()
        });
    }
}

/// Makes an empty router.
pub(crate) fn create(tables: &mut Tables, id: RouterId) -> Result<(), Refused> {
    tables.check_unused(id.into())?;
    let key = tables.routers.insert(Router { id, transports: Vec::new(), observers: None });
    tables.ids.insert(id.into(), EntityKey::Router(key));
    Ok(())
}

/// Closes a router and all that it holds.
pub(crate) fn close(tables: &mut Tables, key: RouterKey, turn: &mut Turn<'_>) {
    let Some(router) = tables.routers.remove(key) else { return };
    tables.forget(router.id);
    turn.debug(LogTag::Info, || format!("router {}: closed", router.id.0));
    // First, so that they say nothing of what closes with them.
    for observer in router.observers() {
        observer::close(tables, *observer);
    }
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
    let observed =
        producers.clone().filter_map(|producer| Some((producer.id, producer.observed.as_deref()?)));
    Some(RouterDump {
        router: router.id,
        transport_ids: List::first_of(transports.map(|transport| transport.id)),
        producer_consumers: List::first_of(producers.map(|producer| ProducerConsumers {
            producer: producer.id,
            consumers: List::first_of(tables.consumer_ids(&producer.consumers)),
        })),
        observer_ids: List::first_of(
            router.observers().iter().filter_map(|key| Some(tables.observers.get(*key)?.id)),
        ),
        producer_observers: List::first_of(observed.map(|(producer, observed)| ProducerObservers {
            producer,
            observers: List::first_of(
                observed.observers().iter().filter_map(|key| Some(tables.observers.get(*key)?.id)),
            ),
        })),
    })
}
