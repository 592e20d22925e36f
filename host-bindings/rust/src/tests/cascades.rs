//! Who closes with whom, and why, on the host's side.

use tidegate_protocol::bounded::Text;
use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;

use super::fake::{Fake, Session, greeted, plain_options, session, settle};
use crate::error::{ExitReason, RequestError};
use crate::{
    CloseReason, ConsumerEvent, Events, PlainConnectOptions, ProducerEvent, RouterEvent, RouterOptions,
    TransportEvent, WorkerEvent,
};

struct Listeners {
    router: Events<RouterEvent>,
    transport: Events<TransportEvent>,
    producer: Events<ProducerEvent>,
    consumer: Events<ConsumerEvent>,
}

fn listeners(session: &Session) -> Listeners {
    Listeners {
        router: session.router.events(),
        transport: session.transport.events(),
        producer: session.producer.events(),
        consumer: session.consumer.events(),
    }
}

impl Listeners {
    /// Why each was closed, from the router down; `None` for one that is open. Its stream must end with it.
    fn reasons(&mut self) -> [Option<CloseReason>; 4] {
        let router = self.router.try_next().map(|RouterEvent::Closed(reason)| reason);
        [router, self.transport(), self.producer(), self.consumer()]
    }

    fn transport(&mut self) -> Option<CloseReason> {
        match self.transport.try_next()? {
            TransportEvent::Closed(reason) => Some(reason),
            other => panic!("{other:?}"),
        }
    }

    fn producer(&mut self) -> Option<CloseReason> {
        match self.producer.try_next()? {
            ProducerEvent::Closed(reason) => Some(reason),
            other => panic!("{other:?}"),
        }
    }

    fn consumer(&mut self) -> Option<CloseReason> {
        match self.consumer.try_next()? {
            ConsumerEvent::Closed(reason) => Some(reason),
            other => panic!("{other:?}"),
        }
    }
}

async fn next_command(fake: &mut Fake) -> Command {
    fake.request().await.1
}

#[tokio::test]
async fn closing_a_producer_closes_its_consumers() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    session.producer.close();
    session.producer.close();
    assert_eq!(
        listeners.reasons(),
        [None, None, Some(CloseReason::Requested), Some(CloseReason::ProducerClosed)]
    );
    assert!(session.producer.is_closed() && session.consumer.is_closed());
    assert!(!session.transport.is_closed());
    assert_eq!(session.consumer.pause().await, Err(RequestError::Closed("consumer")));
    assert_eq!(
        next_command(&mut fake).await,
        Command::CloseProducer { producer: session.producer.wire_id() }
    );
    let worker = session.worker.clone();
    drop(session);
    // Nothing is closed twice: after the producer comes the transport, when its handles are dropped.
    assert!(matches!(next_command(&mut fake).await, Command::CloseTransport { .. }));
    assert!(matches!(next_command(&mut fake).await, Command::CloseRouter { .. }));
    drop(worker);
}

#[tokio::test]
async fn closing_a_transport_closes_what_is_on_it_with_one_request() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    session.transport.close();
    let lost = Some(CloseReason::TransportClosed);
    assert_eq!(listeners.reasons(), [None, Some(CloseReason::Requested), lost, lost]);
    let transport = session.transport.wire_id();
    assert_eq!(next_command(&mut fake).await, Command::CloseTransport { transport });
    assert_eq!(
        session.transport.connect(PlainConnectOptions::default()).await,
        Err(RequestError::Closed("transport"))
    );
    let router = session.router.wire_id();
    session.router.close();
    assert_eq!(next_command(&mut fake).await, Command::CloseRouter { router });
}

#[tokio::test]
async fn closing_a_router_closes_everything_in_it() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    session.router.close();
    let lost = Some(CloseReason::TransportClosed);
    assert_eq!(
        listeners.reasons(),
        [Some(CloseReason::Requested), Some(CloseReason::RouterClosed), lost, lost]
    );
    assert_eq!(next_command(&mut fake).await, Command::CloseRouter { router: session.router.wire_id() });
}

#[tokio::test]
async fn closing_the_worker_closes_everything() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    session.worker.close();
    let lost = Some(CloseReason::TransportClosed);
    let router = Some(CloseReason::WorkerClosed);
    assert_eq!(listeners.reasons(), [router, Some(CloseReason::RouterClosed), lost, lost]);
    assert_eq!(fake.heard().await, None);
    assert_eq!(session.consumer.resume().await, Err(RequestError::WorkerClosed { exit: None }));
}

#[tokio::test]
async fn death_of_the_worker_closes_everything_and_explains_later_errors() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    let mut events = session.worker.events();
    fake.die(ExitReason::Signal(9));
    assert!(matches!(events.next().await, Some(WorkerEvent::Died(_))));
    assert_eq!(events.next().await, None);
    let lost = Some(CloseReason::TransportClosed);
    let router = Some(CloseReason::WorkerClosed);
    assert_eq!(listeners.reasons(), [router, Some(CloseReason::RouterClosed), lost, lost]);
    let error = session.producer.get_stats().await.unwrap_err();
    assert_eq!(error.to_string(), "the worker was ended by signal 9");
}

#[tokio::test]
async fn producer_that_the_worker_closed_takes_its_consumer_along() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    fake.event(Event::ConsumerProducerClosed { consumer: session.consumer.wire_id() }).await;
    settle().await;
    assert_eq!(listeners.reasons(), [None, None, None, Some(CloseReason::ProducerClosed)]);
    drop(session.consumer);
    drop(session.producer);
    // The worker knows already that the consumer is gone: only the producer's end is news.
    assert!(matches!(next_command(&mut fake).await, Command::CloseProducer { .. }));
}

#[tokio::test]
async fn contained_defect_closes_the_transport_and_what_is_on_it() {
    let (session, mut fake) = session().await;
    let mut listeners = listeners(&session);
    let message = Text::clipped("index out of bounds at seal.rs:7");
    fake.event(Event::TransportInternalError { transport: session.transport.wire_id(), message }).await;
    let event = listeners.transport.next().await;
    assert_eq!(event, Some(TransportEvent::InternalError("index out of bounds at seal.rs:7".to_owned())));
    let lost = Some(CloseReason::TransportClosed);
    assert_eq!(listeners.reasons(), [None, Some(CloseReason::InternalError), lost, lost]);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_from_the_leaf_up() {
    let (session, mut fake) = session().await;
    let Session { worker, router, transport, producer, consumer } = session;
    let second = consumer.clone();
    drop(worker);
    drop(router);
    drop(transport);
    drop(consumer);
    settle().await;
    assert!(!second.is_closed());
    let consumer = second.wire_id();
    drop(second);
    assert_eq!(next_command(&mut fake).await, Command::CloseConsumer { consumer });
    drop(producer);
    // With the producer go transport, router and worker; what was not written before the pipe closed is not missed.
    while fake.heard().await.is_some() {}
}

#[tokio::test]
async fn router_keeps_its_worker_alive_and_the_last_handle_ends_it() {
    let (worker, mut fake) = greeted().await;
    let (router, ()) = tokio::join!(worker.create_router(RouterOptions::default()), fake.agree(1));
    drop(worker);
    settle().await;
    let router = router.unwrap();
    let (transport, ()) = tokio::join!(router.create_plain_transport(plain_options()), fake.agree(1));
    let transport = transport.unwrap();
    drop(router);
    settle().await;
    assert!(!transport.is_closed());
    drop(transport);
    // What was not written before the pipe closed is not missed.
    while fake.heard().await.is_some() {}
}
