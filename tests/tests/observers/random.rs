//! Observers made, used and closed at random, against a model of who observes whom; audited after every request.

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ObserverId, ProducerId, RouterId, TransportId};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::request::Command;
use tidegate_tests::world::peer::{Sender, address};
use tidegate_tests::world::{Beginning, World};

use crate::{TELL_TWO, at_level, microphone};

/// Names of what lives in a random story.
#[derive(Default)]
struct Lives {
    transports: Vec<TransportId>,
    producers: Vec<(ProducerId, TransportId)>,
    observers: Vec<ObserverId>,
    observed: Vec<(ObserverId, ProducerId)>,
}

#[test]
fn observers_made_used_and_closed_at_random_stay_sound() {
    for seed in 0..10 {
        let mut world = World::from(Beginning::of(seed));
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut draw = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below.max(1)
        };
        let (mut router, mut lives) = (world.router(), Lives::default());
        for step in 0..1_500 {
            if draw(200) == 0 {
                world.done(Command::CloseRouter { router });
                (router, lives) = (world.router(), Lives::default());
            }
            acts(&mut world, router, &mut lives, &mut draw);
            world.run_for(draw(60) as u64);
            world.audit();
            for event in world.take_events() {
                let Event::AudioLevels { observer, .. } = event else { continue };
                assert!(lives.observers.contains(&observer), "seed {seed}, step {step}: {event:?}");
            }
        }
        for observer in lives.observers {
            let expected = lives.observed.iter().filter(|(by, _)| *by == observer).map(|(_, of)| *of);
            assert_eq!(world.observer_dump(observer).producer_ids.into_vec(), expected.collect::<Vec<_>>());
        }
        world.finish();
    }
}

/// One request, and its answer as expected.
fn acts(world: &mut World, router: RouterId, lives: &mut Lives, draw: &mut impl FnMut(usize) -> usize) {
    let Lives { transports, producers, observers, observed } = lives;
    let (producer, observer) = (draw(producers.len()), draw(observers.len()));
    match (draw(10), producers.get(producer).copied(), observers.get(observer).copied()) {
        (0, ..) if transports.len() < 5 => {
            let transport = world.comedia(router);
            transports.push(transport.id);
            for n in 0..4 {
                let id = world.produce(transport.id, &microphone(n));
                producers.push((id, transport.id));
                let mut sender = Sender::new(address(1, 9_000), transport.rtp, microphone(n));
                let packets: Vec<_> = (0..12).map(|_| at_level(&mut sender, 9)).collect();
                sender.sends(world, &packets);
            }
        }
        (1, ..) if observers.len() < 12 => {
            let options = AudioLevelObserverOptions { interval_ms: 250, ..TELL_TWO };
            observers.push(match draw(2) {
                0 => world.audio_level_observer(router, options),
                _ => world.active_speaker_observer(router, 100),
            });
        }
        (2, Some((producer, _)), _) => {
            world.done(Command::CloseProducer { producer });
            producers.retain(|(id, _)| *id != producer);
            observed.retain(|(_, of)| *of != producer);
        }
        (3, Some((_, transport)), _) if draw(3) == 0 => {
            world.done(Command::CloseTransport { transport });
            observed.retain(|(_, of)| !producers.contains(&(*of, transport)));
            producers.retain(|(_, on)| *on != transport);
            transports.retain(|id| *id != transport);
        }
        (4, _, Some(observer)) if draw(3) == 0 => {
            world.done(Command::CloseObserver { observer });
            observers.retain(|id| *id != observer);
            observed.retain(|(by, _)| *by != observer);
        }
        (5, _, Some(observer)) => world.done(match draw(2) {
            0 => Command::PauseObserver { observer },
            _ => Command::ResumeObserver { observer },
        }),
        (6.., Some((producer, _)), Some(observer)) => {
            let add = draw(3) > 0;
            adds_or_removes(world, observed, (observer, producer), add);
        }
        _ => {}
    }
}

fn adds_or_removes(
    world: &mut World,
    observed: &mut Vec<(ObserverId, ProducerId)>,
    (observer, producer): (ObserverId, ProducerId),
    add: bool,
) {
    let is_there = observed.contains(&(observer, producer));
    let command = match add {
        true => Command::AddObservedProducer { observer, producer },
        false => Command::RemoveObservedProducer { observer, producer },
    };
    if add == is_there {
        let kind = if add { ErrorKind::Duplicate } else { ErrorKind::NotFound };
        assert_eq!(world.refusal(command), kind);
        return;
    }
    world.done(command);
    observed.retain(|pair| *pair != (observer, producer));
    observed.extend(add.then_some((observer, producer)));
}
