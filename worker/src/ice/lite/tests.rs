//! A peer that asks rightly and wrongly, and what the agent makes of it.

use super::*;
use crate::base::address::Destination;
use crate::ice::stun::TransactionId;
use crate::ice::tuples::TUPLES_MAX;
use tidegate_protocol::transport::Protocol;

const TRANSACTION: TransactionId = *b"transaction!";

/// A request, and how it may be wrong.
struct Request<'a> {
    username: Option<String>,
    key: Option<&'a IntegrityKey>,
    priority: Option<u32>,
    use_candidate: bool,
    nomination: Option<u32>,
    controlled: bool,
    unknown: Option<u16>,
    fingerprint: bool,
}

impl<'a> Request<'a> {
    fn by(credentials: &'a Credentials) -> Self {
        Self {
            username: Some(format!("{}:peer", credentials.username_fragment.as_str())),
            key: Some(&credentials.key),
            priority: Some(1),
            use_candidate: false,
            nomination: None,
            controlled: false,
            unknown: None,
            fingerprint: true,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = [0; 400];
        let mut writer = Writer::new(&mut out, Class::Request, BINDING, &TRANSACTION);
        self.username.iter().for_each(|username| writer.username(username.as_bytes()));
        self.priority.iter().for_each(|priority| writer.priority(*priority));
        self.nomination.iter().for_each(|nomination| writer.nomination(*nomination));
        self.unknown.iter().for_each(|kind| writer.attribute(*kind, &[1, 2]));
        if self.use_candidate {
            writer.use_candidate();
        }
        if self.controlled {
            writer.controlled(5);
        } else {
            writer.controlling(5);
        }
        let written = if self.fingerprint {
            writer.finish(self.key)
        } else {
            writer.finish_without_fingerprint(self.key)
        };
        out[..written.unwrap()].to_vec()
    }
}

/// An agent and what a peer would do with it.
struct Scene {
    ice: IceLite,
    peer: Credentials,
    now: Time,
    seed: u32,
}

impl Scene {
    fn new() -> Self {
        Self::with(ConsentTimeout::default())
    }

    fn with(consent: ConsentTimeout) -> Self {
        let peer = credentials(1);
        Self { ice: IceLite::new(peer.clone(), consent), peer, now: Time::from_millis(5_000), seed: 1 }
    }

    fn send(&mut self, port: u16, request: &Request<'_>) -> (Outcome, Vec<u8>) {
        let mut out = [0; ANSWER_BYTES_MAX];
        let outcome = self.ice.on_stun(self.now, &tuple(port), &request.bytes(), &mut out);
        (outcome, out[..outcome.answer_bytes].to_vec())
    }

    fn ask(&mut self, port: u16, change: impl FnOnce(&mut Request<'_>)) -> Outcome {
        let peer = self.peer.clone();
        let mut request = Request::by(&peer);
        change(&mut request);
        self.send(port, &request).0
    }

    fn check(&mut self, port: u16) -> Changes {
        let outcome = self.ask(port, |_| ());
        assert_eq!(outcome.verdict, Verdict::Accepted);
        outcome.changes
    }

    fn nominate(&mut self, port: u16, number: Option<u32>) -> Changes {
        let outcome = self.ask(port, |request| {
            request.use_candidate = number.is_none();
            request.nomination = number;
        });
        assert_eq!(outcome.verdict, Verdict::Accepted);
        outcome.changes
    }

    fn restart(&mut self) -> (Credentials, Option<UsernameFragment>) {
        self.seed += 1;
        let fresh = credentials(self.seed);
        (fresh.clone(), self.ice.restart(self.now, fresh))
    }

    fn pass(&mut self, seconds: u64) -> Option<Tuples> {
        self.now = self.now + Duration::from_secs(seconds);
        self.ice.on_deadline(self.now)
    }

    fn selected(&self) -> Option<u16> {
        self.ice.selected().map(|tuple| tuple.path.remote.port())
    }
}

fn credentials(seed: u32) -> Credentials {
    let mut number = seed;
    Credentials::random(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number
    })
}

fn tuple(port: u16) -> Tuple {
    let remote = ([192, 0, 2, 1], port).into();
    Tuple {
        path: Destination { socket: SocketKey::new(u32::from(port), 1), remote, local_ip: None },
        protocol: Protocol::Udp,
    }
}

fn code(answer: &[u8]) -> Option<u16> {
    let message = Message::parse(answer).ok()?;
    assert_eq!((message.class, message.transaction), (Class::Error, TRANSACTION));
    message.error_code
}

#[test]
fn a_valid_request_is_answered_with_the_address_it_came_from() {
    let mut scene = Scene::new();
    let peer = scene.peer.clone();
    let (outcome, answer) = scene.send(7, &Request::by(&peer));
    assert_eq!(outcome.verdict, Verdict::Accepted);
    let message = Message::parse(&answer).unwrap();
    assert_eq!((message.class, message.transaction), (Class::Success, TRANSACTION));
    assert_eq!(message.mapped_address, Some("192.0.2.1:7".parse().unwrap()));
    assert!(message.is_signed_by(&peer.key) && message.has_fingerprint());
}

#[test]
fn the_first_check_connects_and_a_nomination_completes() {
    let mut scene = Scene::new();
    assert_eq!((scene.ice.state(), scene.selected()), (IceState::New, None));
    let changes = scene.check(1);
    assert_eq!(changes, Changes { state: true, selected: true, added: true, removed: None, retired: None });
    assert_eq!((scene.ice.state(), scene.selected()), (IceState::Connected, Some(1)));
    assert_eq!(scene.check(1), Changes::default(), "the same again changes nothing");
    assert_eq!(scene.check(2), Changes { added: true, ..Changes::default() });
    assert_eq!(scene.nominate(2, None), Changes { state: true, selected: true, ..Changes::default() });
    assert_eq!((scene.ice.state(), scene.selected()), (IceState::Completed, Some(2)));
    assert_eq!(scene.check(1), Changes::default(), "a check without nomination leaves the selected one");
}

#[test]
fn a_first_check_with_nomination_completes_at_once() {
    for number in [None, Some(0), Some(9)] {
        let mut scene = Scene::new();
        let changes = scene.nominate(1, number);
        assert!(changes.state && changes.selected && changes.added);
        assert_eq!(scene.ice.state(), IceState::Completed);
    }
}

#[test]
fn a_numbered_nomination_wins_unless_it_is_older() {
    let mut scene = Scene::new();
    let _ = scene.nominate(1, Some(5));
    assert_eq!(scene.nominate(2, Some(4)), Changes { added: true, ..Changes::default() });
    assert_eq!(scene.selected(), Some(1));
    assert!(scene.nominate(2, Some(5)).selected, "an equal one is not older");
    assert!(scene.nominate(1, Some(u32::MAX)).selected);
    assert!(!scene.nominate(2, Some(6)).selected);
}

#[test]
fn an_old_number_with_use_candidate_is_still_old() {
    let mut scene = Scene::new();
    let _ = scene.nominate(1, Some(5));
    let _ = scene.ask(2, |request| (request.use_candidate, request.nomination) = (true, Some(4)));
    assert_eq!(scene.selected(), Some(1));
}

#[test]
fn missing_parts_are_400_without_integrity() {
    type Change = fn(&mut Request<'_>);
    let changes: [Change; 3] = [
        |request| request.username = None,
        |request| request.key = None,
        |request| request.fingerprint = false,
    ];
    for change in changes {
        let mut scene = Scene::new();
        let peer = scene.peer.clone();
        let mut request = Request::by(&peer);
        change(&mut request);
        let (outcome, answer) = scene.send(1, &request);
        assert_eq!(outcome.verdict, Verdict::Refused(Refusal::BadRequest));
        assert_eq!(code(&answer), Some(400));
        assert!(!Message::parse(&answer).unwrap().has_integrity());
        assert_eq!((scene.ice.state(), scene.ice.tuples().len()), (IceState::New, 0));
        assert_eq!(scene.ice.stats().bad_requests, 1);
    }
}

#[test]
fn wrong_fragments_and_passwords_are_401_and_prove_nothing() {
    let mut scene = Scene::new();
    let (own, stranger) = (scene.peer.clone(), credentials(99));
    let wrong_password = Request { key: Some(&stranger.key), ..Request::by(&own) };
    for request in [wrong_password, Request::by(&stranger)] {
        let (outcome, answer) = scene.send(1, &request);
        assert_eq!(outcome.verdict, Verdict::Refused(Refusal::Unauthenticated));
        assert_eq!(outcome.changes, Changes::default());
        assert_eq!(code(&answer), Some(401));
    }
    assert_eq!((scene.ice.stats().unauthenticated, scene.ice.tuples().len()), (2, 0));
    assert!(!scene.ice.admits(&tuple(1)));
}

#[test]
fn what_we_do_not_know_is_420_and_named() {
    let mut scene = Scene::new();
    let peer = scene.peer.clone();
    let (outcome, answer) = scene.send(1, &Request { unknown: Some(0x7ABC), ..Request::by(&peer) });
    assert_eq!(outcome.verdict, Verdict::Refused(Refusal::UnknownAttribute));
    assert_eq!(code(&answer), Some(420));
    assert!(Message::parse(&answer).unwrap().is_signed_by(&peer.key));
    assert!(answer.windows(6).any(|part| part == [0x00, 0x0A, 0x00, 0x02, 0x7A, 0xBC]));
    assert_eq!(scene.ask(1, |request| request.unknown = Some(0xBABC)).verdict, Verdict::Accepted);
}

#[test]
fn two_who_follow_are_487_and_no_priority_is_400() {
    let mut scene = Scene::new();
    let peer = scene.peer.clone();
    for (request, expected) in [
        (Request { controlled: true, ..Request::by(&peer) }, 487),
        (Request { priority: None, ..Request::by(&peer) }, 400),
    ] {
        let (outcome, answer) = scene.send(1, &request);
        assert_eq!(code(&answer), Some(expected));
        assert!(Message::parse(&answer).unwrap().is_signed_by(&peer.key));
        assert_eq!(outcome.changes, Changes::default());
    }
    assert_eq!((scene.ice.stats().role_conflicts, scene.ice.stats().bad_requests), (1, 1));
}

#[test]
fn strangers_are_answered_twenty_times_a_second_and_friends_always() {
    let mut scene = Scene::new();
    let stranger = credentials(99);
    let answered = |scene: &mut Scene| {
        (0..1_000).filter(|_| scene.send(1, &Request::by(&stranger)).0.answer_bytes > 0).count()
    };
    assert_eq!(answered(&mut scene), 20);
    assert_eq!(scene.ask(1, |request| request.controlled = true).answer_bytes, 20 + 8 + 24 + 8);
    assert!(scene.ask(1, |_| ()).answer_bytes > 0);
    scene.now = scene.now + Duration::from_secs(1);
    assert_eq!(answered(&mut scene), 20);
    assert_eq!(scene.ice.stats().unauthenticated, 2_000);
}

#[test]
fn indications_answers_and_noise_are_ignored() {
    let mut scene = Scene::new();
    let peer = scene.peer.clone();
    let request = Request::by(&peer).bytes();
    let mut datagrams = vec![request[..request.len() - 1].to_vec(), vec![0; 20], Vec::new()];
    for class in [Class::Indication, Class::Success, Class::Error] {
        let mut out = [0; 200];
        let written = Writer::new(&mut out, class, BINDING, &TRANSACTION).finish(Some(&peer.key)).unwrap();
        datagrams.push(out[..written].to_vec());
    }
    let mut out = [0; 200];
    let written = Writer::new(&mut out, Class::Request, 3, &TRANSACTION).finish(Some(&peer.key)).unwrap();
    datagrams.push(out[..written].to_vec());
    for datagram in &datagrams {
        let outcome = scene.ice.on_stun(scene.now, &tuple(1), datagram, &mut out);
        assert_eq!(outcome, Outcome::of(Verdict::Ignored, 0));
    }
    assert_eq!(scene.ice.stats().ignored, datagrams.len() as u64);
}

#[test]
fn data_moves_the_selection_to_another_proven_way_only() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let _ = scene.check(2);
    let now = scene.now;
    assert!(!scene.ice.admits(&tuple(3)));
    assert_eq!(scene.ice.on_authenticated_data(now, &tuple(3)), Changes::default());
    assert_eq!(scene.ice.stats().unknown_sources, 1);
    assert!(scene.ice.admits(&tuple(2)));
    assert_eq!(
        scene.ice.on_authenticated_data(now, &tuple(2)),
        Changes { selected: true, ..Changes::default() }
    );
    assert_eq!((scene.selected(), scene.ice.state()), (Some(2), IceState::Connected));
}

#[test]
fn a_straggler_does_not_take_the_selection_back() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let _ = scene.nominate(2, Some(1));
    let soon = scene.now + Duration::from_millis(249);
    assert!(!scene.ice.on_authenticated_data(soon, &tuple(1)).selected);
    assert!(!scene.ice.on_authenticated_data(soon, &tuple(2)).selected, "it is selected already");
    let later = scene.now + Duration::from_millis(250);
    assert!(scene.ice.on_authenticated_data(later, &tuple(1)).selected);
}

#[test]
fn consent_ends_without_requests_and_everything_goes() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let _ = scene.nominate(2, Some(8));
    assert!(scene.pass(29).is_none());
    let _ = scene.check(1);
    assert!(scene.pass(29).is_none(), "any valid request renews it");
    assert_eq!(scene.ice.next_deadline(), Some(scene.now + Duration::from_secs(1)));
    let _ = scene.ask(1, |request| request.controlled = true);
    let gone = scene.pass(1).expect("consent ended");
    assert_eq!(gone.len(), 2);
    assert_eq!((scene.ice.state(), scene.selected()), (IceState::Disconnected, None));
    assert!(scene.ice.next_deadline().is_none() && scene.pass(100).is_none());
    assert!(!scene.ice.admits(&tuple(2)));
    let changes = scene.nominate(3, Some(1));
    assert!(changes.state && changes.selected, "numbers begin anew");
    assert_eq!(scene.ice.state(), IceState::Completed);
}

#[test]
fn authentic_data_renews_consent_on_the_selected_way_only() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let _ = scene.nominate(2, Some(1));
    let until = scene.ice.next_deadline();
    let soon = scene.now + Duration::from_millis(249);
    for port in [1, 3] {
        let _ = scene.ice.on_authenticated_data(soon, &tuple(port));
        assert_eq!(scene.ice.next_deadline(), until, "a straggler, and a way that nobody has proven");
    }
    for _ in 0..100 {
        assert!(scene.pass(29).is_none());
        let _ = scene.ice.on_authenticated_data(scene.now, &tuple(2));
    }
    assert!(scene.pass(29).is_none() && scene.pass(1).is_some());
    let _ = scene.ice.on_authenticated_data(scene.now, &tuple(2));
    assert_eq!((scene.ice.next_deadline(), scene.selected()), (None, None), "what has ended is not renewed");
}

#[test]
fn consent_is_clamped_or_off() {
    for (seconds, lasts) in [(1, 10), (10, 10), (45, 45), (60, 60), (255, 60)] {
        let mut scene = Scene::with(ConsentTimeout::from_seconds(seconds));
        let _ = scene.check(1);
        assert!(scene.pass(lasts - 1).is_none() && scene.pass(1).is_some(), "{seconds} s");
    }
    let mut scene = Scene::with(ConsentTimeout::from_seconds(0));
    let _ = scene.check(1);
    assert!(scene.pass(1_000_000).is_none() && scene.ice.next_deadline().is_none());
}

#[test]
fn after_a_restart_both_credentials_work_until_the_new_ones_are_used() {
    let mut scene = Scene::new();
    let _ = scene.nominate(1, Some(7));
    let old = scene.peer.clone();
    let (new, gone) = scene.restart();
    assert_eq!(gone, None);
    assert_eq!(scene.ice.credentials().password, new.password);
    assert_eq!(scene.ice.username_fragments().count(), 2);
    let (outcome, answer) = scene.send(1, &Request::by(&old));
    assert_eq!((outcome.verdict, outcome.changes.retired), (Verdict::Accepted, None));
    assert!(Message::parse(&answer).unwrap().is_signed_by(&old.key), "signed as it was asked");
    // Signed with the one, named by the other.
    let crossed = Request { key: Some(&old.key), ..Request::by(&new) };
    assert_eq!(scene.send(1, &crossed).0.verdict, Verdict::Refused(Refusal::Unauthenticated));
    let (outcome, answer) = scene.send(2, &Request { nomination: Some(1), ..Request::by(&new) });
    assert_eq!(outcome.changes.retired, Some(old.username_fragment));
    assert!(outcome.changes.selected, "numbers begin anew with new credentials");
    assert!(Message::parse(&answer).unwrap().is_signed_by(&new.key));
    assert_eq!(scene.send(1, &Request::by(&old)).0.verdict, Verdict::Refused(Refusal::Unauthenticated));
    assert_eq!(scene.ice.username_fragments().collect::<Vec<_>>(), [new.username_fragment]);
}

#[test]
fn a_second_restart_drops_what_was_never_used() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let first = scene.peer.clone();
    let (second, _) = scene.restart();
    let (third, gone) = scene.restart();
    assert_eq!(gone, Some(second.username_fragment));
    assert_eq!(scene.send(1, &Request::by(&first)).0.verdict, Verdict::Accepted);
    assert_eq!(scene.send(1, &Request::by(&second)).0.verdict, Verdict::Refused(Refusal::Unauthenticated));
    assert_eq!(scene.send(1, &Request::by(&third)).0.verdict, Verdict::Accepted);
}

#[test]
fn a_restart_renews_consent() {
    let mut scene = Scene::new();
    let _ = scene.restart();
    assert!(scene.ice.next_deadline().is_none(), "nobody has called yet");
    let _ = scene.check(1);
    scene.pass(20);
    let _ = scene.restart();
    assert!(scene.pass(29).is_none() && scene.pass(1).is_some());
}

#[test]
fn a_closed_connection_takes_its_way_along() {
    let mut scene = Scene::new();
    let _ = scene.check(1);
    let _ = scene.nominate(2, None);
    assert_eq!(scene.ice.on_connection_closed(SocketKey::new(3, 1)), Changes::default());
    let changes = scene.ice.on_connection_closed(SocketKey::new(2, 1));
    assert_eq!(changes, Changes { selected: true, removed: Some(tuple(2)), ..Changes::default() });
    assert_eq!((scene.selected(), scene.ice.state()), (Some(1), IceState::Completed));
    let changes = scene.ice.on_connection_closed(SocketKey::new(1, 1));
    assert!(changes.state && changes.selected);
    assert_eq!((scene.selected(), scene.ice.state()), (None, IceState::Disconnected));
    assert!(scene.ice.next_deadline().is_none());
}

#[test]
fn a_peer_of_many_ways_keeps_eight_and_the_selected_one() {
    let mut scene = Scene::new();
    let _ = scene.nominate(1, None);
    for port in 2..=1_000 {
        let changes = scene.check(port);
        let displaced = usize::from(port).checked_sub(TUPLES_MAX).filter(|place| *place > 0);
        assert_eq!(
            changes.removed.map(|tuple| usize::from(tuple.path.remote.port())),
            displaced.map(|place| place + 1)
        );
    }
    assert_eq!((scene.ice.tuples().len(), scene.selected()), (TUPLES_MAX, Some(1)));
}

#[test]
fn two_addresses_of_ours_are_two_ways() {
    let mut scene = Scene::new();
    let peer = scene.peer.clone();
    let elsewhere =
        Tuple { path: Destination { local_ip: Some([10, 0, 0, 2].into()), ..tuple(1).path }, ..tuple(1) };
    let _ = scene.check(1);
    let mut out = [0; ANSWER_BYTES_MAX];
    let outcome = scene.ice.on_stun(scene.now, &elsewhere, &Request::by(&peer).bytes(), &mut out);
    assert!(outcome.changes.added);
    assert_eq!((scene.ice.tuples().len(), scene.ice.selected()), (2, Some(&tuple(1))));
}
