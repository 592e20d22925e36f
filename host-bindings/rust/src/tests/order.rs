//! Answers and events take effect in the order in which the worker sent them.

use std::sync::Arc;
use std::time::Duration;

use tidegate_protocol::bounded::List;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::{ConsumerScore, Event, VideoOrientation};
use tidegate_protocol::ids::{ConsumerId, RouterId};
use tidegate_protocol::message::{FromWorker, LogLevel, LogTag};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::stats::Direction;
use tidegate_protocol::trace::{Trace, TraceInfo};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fake::{consumer_options, greeted, plain_options, session, settle, tuple};
use crate::connection::Connection;
use crate::{ConsumerEvent, ProducerEvent, RouterOptions, TransportEvent, WorkerEvent};

fn score(score: u8) -> ConsumerScore {
    ConsumerScore { score, producer_score: 10, producer_scores: List::first_of([10]) }
}

#[tokio::test]
async fn event_that_follows_an_answer_takes_effect_after_it_and_is_not_lost() {
    let (session, mut fake) = session().await;
    let answering = async {
        let (id, command) = fake.request().await;
        let Command::Consume { consumer, .. } = command else { panic!("{command:?}") };
        let consumed = Reply::Consumed { paused: false, producer_paused: false, score: score(1) };
        fake.say_all(&[
            FromWorker::Response { id, result: Ok(consumed) },
            FromWorker::Event(Event::ConsumerScore { consumer, score: score(7) }),
            FromWorker::Event(Event::ConsumerProducerPaused { consumer }),
        ])
        .await;
    };
    let options = consumer_options(&session.router, &session.producer);
    let (consumer, ()) = tokio::join!(session.transport.consume(options), answering);
    let consumer = consumer.unwrap();
    settle().await;
    assert_eq!(consumer.score().score, 7);
    assert!(consumer.is_producer_paused());
    let mut events = consumer.events();
    assert_eq!(events.next().await, Some(ConsumerEvent::Score(score(7))));
    assert_eq!(events.next().await, Some(ConsumerEvent::ProducerPaused));
}

#[tokio::test]
async fn tuple_that_a_comedia_transport_learns_is_an_event_and_its_state() {
    let (session, mut fake) = session().await;
    let mut events = session.transport.events();
    fake.event(Event::PlainTuple { transport: session.transport.wire_id(), tuple: tuple(Some(5004)) }).await;
    assert_eq!(events.next().await, Some(TransportEvent::Tuple(tuple(Some(5004)))));
    assert_eq!(session.transport.tuple().remote_port, Some(5004));
    fake.event(Event::PlainRtcpTuple { transport: session.transport.wire_id(), tuple: tuple(Some(5005)) })
        .await;
    assert_eq!(events.next().await, Some(TransportEvent::RtcpTuple(tuple(Some(5005)))));
    assert_eq!(session.transport.rtcp_tuple(), Some(tuple(Some(5005))));
}

#[tokio::test]
async fn traces_are_told_once_each_and_of_orientations_the_newest() {
    let (session, mut fake) = session().await;
    let (producer, consumer) = (session.producer.wire_id(), session.consumer.wire_id());
    let (mut of_producer, mut of_consumer) = (session.producer.events(), session.consumer.events());
    let trace = |direction| Trace { timestamp_ms: 5, direction, info: TraceInfo::Pli { ssrc: 7 } };
    let turned = |rotation| VideoOrientation { camera: true, flip: false, rotation };
    for rotation in [90, 180] {
        fake.event(Event::ProducerVideoOrientation { producer, orientation: turned(rotation) }).await;
    }
    fake.event(Event::ProducerTrace { producer, trace: trace(Direction::Outbound) }).await;
    fake.event(Event::ConsumerTrace { consumer, trace: trace(Direction::Inbound) }).await;
    settle().await;
    assert_eq!(of_producer.try_next(), Some(ProducerEvent::VideoOrientation(turned(180))));
    assert_eq!(of_producer.try_next(), Some(ProducerEvent::Trace(Box::new(trace(Direction::Outbound)))));
    assert_eq!(of_producer.try_next(), None);
    assert_eq!(of_consumer.try_next(), Some(ConsumerEvent::Trace(Box::new(trace(Direction::Inbound)))));
    assert_eq!(of_consumer.try_next(), None);
}

#[tokio::test]
async fn events_of_closed_and_unknown_ids_are_dropped() {
    let (session, mut fake) = session().await;
    let mut events = session.consumer.events();
    let consumer = session.consumer.wire_id();
    session.consumer.close();
    fake.event(Event::ConsumerScore { consumer, score: score(3) }).await;
    fake.event(Event::ConsumerProducerPaused { consumer: ConsumerId(999_999) }).await;
    assert_eq!(fake.request().await.1, Command::CloseConsumer { consumer });
    settle().await;
    assert!(matches!(events.next().await, Some(ConsumerEvent::Closed(_))));
    assert_eq!(events.next().await, None);
    assert_ne!(session.consumer.score().score, 3);
    assert!(!session.worker.is_closed());
}

#[tokio::test]
async fn pause_and_resume_change_the_state_by_their_answer() {
    let (session, mut fake) = session().await;
    for paused in [true, false] {
        let asking = async {
            if paused { session.consumer.pause().await } else { session.consumer.resume().await }.unwrap();
            if paused { session.producer.pause().await } else { session.producer.resume().await }.unwrap();
        };
        tokio::join!(asking, fake.agree(2));
        assert_eq!((session.consumer.is_paused(), session.producer.is_paused()), (paused, paused));
    }
    let (result, ()) = tokio::join!(session.consumer.set_priority(9), fake.agree(1));
    result.unwrap();
    assert_eq!(session.consumer.priority(), 9);
    let refused = fake.refuse(ErrorKind::InvalidArgument, "priority is 1 to 255");
    let (result, ()) = tokio::join!(session.consumer.set_priority(0), refused);
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Some(ErrorKind::InvalidArgument), "priority is 1 to 255")
    );
    assert_eq!(session.consumer.priority(), 9);
}

#[tokio::test]
async fn refused_creation_leaves_nothing_to_close() {
    let (worker, mut fake) = greeted().await;
    let (router, ()) = tokio::join!(worker.create_router(RouterOptions::default()), fake.agree(1));
    let router = router.unwrap();
    let refused = fake.refuse(ErrorKind::BindFailed, "port 5004 of 127.0.0.1 is in use; choose another");
    let (result, ()) = tokio::join!(router.create_plain_transport(plain_options()), refused);
    assert_eq!(result.unwrap_err().kind(), Some(ErrorKind::BindFailed));
    let silence = timeout(Duration::from_millis(50), fake.heard()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn creation_that_nobody_waits_for_any_more_is_undone() {
    let (session, mut fake) = session().await;
    let consuming = session.transport.consume(consumer_options(&session.router, &session.producer));
    assert!(timeout(Duration::from_millis(20), consuming).await.is_err());
    let (id, command) = fake.request().await;
    let Command::Consume { consumer, .. } = command else { panic!("{command:?}") };
    let consumed = Reply::Consumed { paused: false, producer_paused: false, score: score(1) };
    fake.answer(id, Ok(consumed)).await;
    assert_eq!(fake.request().await.1, Command::CloseConsumer { consumer });
}

#[tokio::test]
async fn log_lines_and_memory_limit_reach_the_worker_s_listener() {
    let (worker, mut fake) = greeted().await;
    let mut events = worker.events();
    let text = tidegate_protocol::bounded::Text::clipped("kernel gave less");
    fake.say(&FromWorker::Log { level: LogLevel::Warn, tag: LogTag::Info, text }).await;
    fake.event(Event::MemoryLimit { limit_bytes: 1, dropped: 2 }).await;
    assert_eq!(
        events.next().await,
        Some(WorkerEvent::Log { level: LogLevel::Warn, tag: LogTag::Info, text: "kernel gave less".into() })
    );
    assert_eq!(events.next().await, Some(WorkerEvent::MemoryLimit { limit_bytes: 1, dropped: 2 }));
}

#[tokio::test]
async fn requests_wait_in_their_callers_once_the_queue_is_full() {
    let (connection, mut frames) = Connection::new(Duration::from_secs(10));
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let connection = Arc::clone(&connection);
        requests.spawn(async move { connection.request(Command::GetMetrics, |_| Some(())).await });
    }
    settle().await;
    assert_eq!(frames.len(), 256);
    // Closes must not wait: whoever drops a handle cannot.
    connection.send(Command::CloseRouter { router: RouterId(1) });
    assert_eq!(frames.len(), 257);
    // As the writer does: what is written makes room for those that wait.
    for _ in 0..100 {
        drop(frames.recv().await);
    }
    settle().await;
    assert_eq!(frames.len(), 257);
}
