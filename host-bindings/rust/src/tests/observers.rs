//! Observers on the host's side: what their events name, whom they keep alive, and with whom they close.

use tidegate_protocol::bounded::List;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::observer::AudioLevel;
use tidegate_protocol::request::Command;

use super::fake::{Fake, Session, session, settle};
use crate::error::RequestError;
use crate::{
    ActiveSpeakerObserver, ActiveSpeakerObserverEvent, ActiveSpeakerObserverOptions, AudioLevelObserver,
    AudioLevelObserverEvent, AudioLevelObserverOptions, AudioLevelVolume, CloseReason,
};

/// One observer of each kind, which observe the session's producer.
async fn observers() -> (Session, Fake, AudioLevelObserver, ActiveSpeakerObserver) {
    let (session, mut fake) = session().await;
    let made = async {
        let router = &session.router;
        let levels = router.create_audio_level_observer(AudioLevelObserverOptions::default()).await.unwrap();
        let speaker =
            router.create_active_speaker_observer(ActiveSpeakerObserverOptions::default()).await.unwrap();
        levels.add_producer(&session.producer).await.unwrap();
        speaker.add_producer(&session.producer).await.unwrap();
        (levels, speaker)
    };
    let ((levels, speaker), ()) = tokio::join!(made, fake.agree(4));
    (session, fake, levels, speaker)
}

fn told(observer: &AudioLevelObserver, levels: &[(ProducerId, i8)]) -> Event {
    let volumes = levels.iter().map(|(producer, volume)| AudioLevel { producer: *producer, volume: *volume });
    Event::AudioLevels { observer: observer.wire_id(), volumes: List::first_of(volumes) }
}

#[tokio::test]
async fn options_are_sent_as_they_are_and_intervals_in_milliseconds() {
    let (session, mut fake) = session().await;
    let router = session.router.clone();
    let creating = tokio::spawn(async move {
        let levels = router.create_audio_level_observer(AudioLevelObserverOptions::default()).await;
        let forever = ActiveSpeakerObserverOptions { interval: std::time::Duration::MAX };
        (levels.unwrap(), router.create_active_speaker_observer(forever).await.unwrap_err())
    });
    let (id, command) = fake.request().await;
    let Command::CreateAudioLevelObserver { options, .. } = command else { panic!("{command:?}") };
    assert_eq!((options.max_entries, options.threshold, options.interval_ms), (1, -80, 1_000));
    fake.answer(id, Ok(tidegate_protocol::response::Reply::Done)).await;
    let (id, command) = fake.request().await;
    let Command::CreateActiveSpeakerObserver { interval_ms, .. } = command else { panic!("{command:?}") };
    assert_eq!(interval_ms, u16::MAX);
    fake.answer(id, Err(tidegate_protocol::error::CommandError::new(ErrorKind::LimitReached, "full"))).await;
    let (levels, error) = creating.await.unwrap();
    assert_eq!(error.kind(), Some(ErrorKind::LimitReached));
    // What was refused is not closed.
    let observer = levels.wire_id();
    drop(levels);
    assert_eq!(fake.request().await.1, Command::CloseObserver { observer });
}

#[tokio::test]
async fn events_name_producers_by_their_public_ids() {
    let (session, mut fake, levels, speaker) = observers().await;
    let (mut volumes, mut speakers) = (levels.events(), speaker.events());
    let producer = session.producer.wire_id();
    fake.event(told(&levels, &[(producer, -12)])).await;
    let producer_id = session.producer.id().to_owned();
    let heard = vec![AudioLevelVolume { producer_id: producer_id.clone(), volume: -12 }];
    assert_eq!(volumes.next().await, Some(AudioLevelObserverEvent::Volumes(heard)));
    fake.event(Event::DominantSpeaker { observer: speaker.wire_id(), producer }).await;
    assert_eq!(speakers.next().await, Some(ActiveSpeakerObserverEvent::DominantSpeaker { producer_id }));
}

#[tokio::test]
async fn of_events_that_wait_the_newest_is_kept() {
    let (session, mut fake, levels, _speaker) = observers().await;
    let mut volumes = levels.events();
    let producer = session.producer.wire_id();
    fake.event(told(&levels, &[(producer, -12)])).await;
    fake.event(told(&levels, &[(producer, -13)])).await;
    fake.event(told(&levels, &[])).await;
    settle().await;
    assert_eq!(volumes.try_next(), Some(AudioLevelObserverEvent::Silence));
    assert_eq!(volumes.try_next(), None);
}

#[tokio::test]
async fn closed_and_removed_producers_are_not_named() {
    let (session, mut fake, levels, speaker) = observers().await;
    let (mut volumes, mut speakers) = (levels.events(), speaker.events());
    let producer = session.producer.wire_id();
    let (removed, ()) = tokio::join!(speaker.remove_producer(&session.producer), fake.agree(1));
    removed.unwrap();
    session.producer.close();
    fake.event(told(&levels, &[(producer, -12), (ProducerId(99), -13)])).await;
    fake.event(Event::DominantSpeaker { observer: speaker.wire_id(), producer }).await;
    settle().await;
    assert_eq!((volumes.try_next(), speakers.try_next()), (None, None));
    assert_eq!(levels.add_producer(&session.producer).await, Err(RequestError::Closed("producer")));
    assert_eq!(levels.remove_producer(&session.producer).await, Err(RequestError::Closed("producer")));
}

#[tokio::test]
async fn observers_do_not_keep_producers_alive_and_keep_their_router() {
    let (session, mut fake, levels, speaker) = observers().await;
    let Session { worker, router, transport, producer, consumer } = session;
    drop((worker, consumer));
    assert!(matches!(fake.request().await.1, Command::CloseConsumer { .. }));
    drop(producer);
    assert!(matches!(fake.request().await.1, Command::CloseProducer { .. }));
    drop((transport, router));
    assert!(matches!(fake.request().await.1, Command::CloseTransport { .. }));
    drop(speaker);
    assert!(matches!(fake.request().await.1, Command::CloseObserver { .. }));
    settle().await;
    assert!(!levels.is_closed());
    drop(levels);
    // With it goes the router, and the worker; what was not written before the pipe closed is not missed.
    while fake.heard().await.is_some() {}
}

#[tokio::test]
async fn observers_close_with_their_router_and_with_their_worker() {
    for by_worker in [false, true] {
        let (session, mut fake, levels, speaker) = observers().await;
        let (mut volumes, mut speakers) = (levels.events(), speaker.events());
        if by_worker {
            session.worker.close();
        } else {
            session.router.close();
            let closed = fake.request().await.1;
            assert_eq!(closed, Command::CloseRouter { router: session.router.wire_id() });
        }
        let reason = CloseReason::RouterClosed;
        assert_eq!(volumes.next().await, Some(AudioLevelObserverEvent::Closed(reason)));
        assert_eq!(speakers.next().await, Some(ActiveSpeakerObserverEvent::Closed(reason)));
        assert_eq!((volumes.next().await, speakers.next().await), (None, None));
        assert!(levels.is_closed() && speaker.is_closed());
        assert!(levels.dump().await.is_err());
    }
}

#[tokio::test]
async fn pause_is_known_when_it_is_answered() {
    let (_session, mut fake, levels, _speaker) = observers().await;
    for (pause, refused) in [(true, true), (true, false), (false, false)] {
        let before = levels.is_paused();
        let asking = async { if pause { levels.pause().await } else { levels.resume().await } };
        let answering = async {
            match refused {
                true => fake.refuse(ErrorKind::Internal, "a defect").await,
                false => fake.agree(1).await,
            }
        };
        let (done, ()) = tokio::join!(asking, answering);
        assert_eq!(done.is_err(), refused);
        assert_eq!(levels.is_paused(), if refused { before } else { pause });
    }
}
