//! One session: how it is made of an offer, and how its ICE is restarted.
//!
//! Knows an offer, a room and a transport. Does not know HTTP. Invariant: whatever fails while one is made, or is given
//! up, leaves nothing behind: all of it closes when it is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate::{
    Consumer, ConsumerEvent, ConsumerOptions, Events, Producer, ProducerOptions, RequestError,
    TransportEvent, WebRtcTransport, WebRtcTransportOptions,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::hall::Hall;
use crate::limits::RoomName;
use crate::room::{Door, Place, Room};
use crate::sdp::{Answer, Answered, Fragment, Ice, Offer, receivable, received};
use crate::stage::{Stage, Status};
use crate::whip::refusal::Refusal;

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) room: RoomName,
    pub(crate) door: Door,
    /// Left before anything below is closed.
    _place: Place,
    transport: WebRtcTransport,
    _media: Media,
    /// The client's credentials now.
    ice: Mutex<Ice>,
    head: String,
    _permit: OwnedSemaphorePermit,
}

/// What is sent or received.
#[derive(Debug)]
enum Media {
    Published { _producers: Vec<Producer> },
    Played { _consumers: Vec<Consumer> },
}

/// A new session, its answer, and what tells its end.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) session: Session,
    pub(crate) answer: String,
    pub(crate) events: Events<TransportEvent>,
    /// Of what is played.
    pub(crate) played: Vec<Events<ConsumerEvent>>,
}

/// What a fragment of trickle ICE led to.
#[derive(Debug)]
pub(crate) enum Patched {
    /// Nothing: the worker learns of candidates by their checks.
    Candidates,
    /// Other credentials on both ends: what the client is told.
    Restarted(String),
}

impl Session {
    /// Receives what an offer sends.
    pub(crate) async fn publish(
        hall: &Arc<Hall>,
        room: RoomName,
        offer: &Offer,
        permit: OwnedSemaphorePermit,
    ) -> Result<Made, Refusal> {
        let place = enter(hall, &room, Door::Whip).await?;
        let capabilities = place.room.router().rtp_capabilities();
        let (transport, events) = transport(&place.room).await?;
        let (mut sections, mut producers) = (Vec::new(), Vec::<Producer>::new());
        let mut refusal = None;
        for section in &offer.sections {
            let kind = section.kind.filter(|_| section.is_sent());
            // RFC 9725 4.4.2: one track of a kind.
            let kind = kind.filter(|kind| !producers.iter().any(|producer| producer.kind() == *kind));
            let received = kind.map(|kind| (kind, received(section, kind, &capabilities)));
            sections.push(match received {
                Some((kind, Ok(parameters))) => {
                    let options = ProducerOptions::new(kind, parameters.clone());
                    producers.push(transport.produce(options).await?);
                    Answered::Receives(parameters)
                }
                Some((_, Err(error))) => {
                    refusal = refusal.or(Some(error));
                    unused(section)
                }
                None => unused(section),
            });
        }
        if producers.is_empty() {
            let none = || "it sends no audio and no video".to_owned();
            return Err(Refusal::Unacceptable(refusal.map_or_else(none, |refusal| refusal.to_string())));
        }
        transport.connect(&offer.dtls).await?;
        for producer in &producers {
            place.room.add_producer(&place.id, producer).await?;
        }
        let answer = answer(offer, &transport, sections);
        let media = Media::Published { _producers: producers };
        let session = Self::new(room, Door::Whip, place, transport, media, offer, permit);
        Ok(Made { session, answer, events, played: Vec::new() })
    }

    /// Sends what a room has for an offer: of all in it, or of one visitor.
    pub(crate) async fn play(
        hall: &Arc<Hall>,
        room: RoomName,
        peer_id: Option<&str>,
        offer: &Offer,
        permit: OwnedSemaphorePermit,
    ) -> Result<Made, Refusal> {
        // A room that nobody is in is not made to find that out.
        let open = hall.open_room_named(&*running(hall)?, &room);
        let mut producers = open.map(|open| open.newest(peer_id)).unwrap_or_default();
        if producers.is_empty() {
            return Err(Refusal::NothingToPlay);
        }
        let place = enter(hall, &room, Door::Whep).await?;
        let (transport, events) = transport(&place.room).await?;
        let (mut sections, mut consumers) = (Vec::new(), Vec::<Consumer>::new());
        let mut refusal = None;
        for section in &offer.sections {
            let kind = section.kind.filter(|_| section.is_received());
            let of_kind = kind.and_then(|kind| producers.iter().position(|producer| producer.kind() == kind));
            let (Some(kind), Some(index)) = (kind, of_kind) else {
                sections.push(unused(section));
                continue;
            };
            let producer = producers.swap_remove(index);
            let options = ConsumerOptions {
                endpoint_numbers: true,
                mid: Some(section.mid.clone()),
                ..ConsumerOptions::new(&producer, receivable(section, kind))
            };
            match transport.consume(options).await {
                Ok(consumer) => {
                    // RFC 9725 4.4.2, and WHEP likewise: one stream of all tracks.
                    let stream = place.id.clone();
                    sections.push(Answered::Sends(consumer.rtp_parameters().clone(), stream));
                    consumers.push(consumer);
                }
                Err(error @ RequestError::Negotiation(_)) => {
                    refusal = refusal.or(Some(error));
                    sections.push(unused(section));
                }
                // It was closed this moment.
                Err(RequestError::Closed(_)) => sections.push(unused(section)),
                Err(error) => return Err(error.into()),
            }
        }
        if consumers.is_empty() {
            return Err(refusal.map_or_else(
                || Refusal::Unacceptable("it receives nothing that is sent in this room".to_owned()),
                Refusal::from,
            ));
        }
        transport.connect(&offer.dtls).await?;
        let answer = answer(offer, &transport, sections);
        let played = consumers.iter().map(Consumer::events).collect();
        let media = Media::Played { _consumers: consumers };
        let session = Self::new(room, Door::Whep, place, transport, media, offer, permit);
        Ok(Made { session, answer, events, played })
    }

    fn new(
        room: RoomName,
        door: Door,
        place: Place,
        transport: WebRtcTransport,
        media: Media,
        offer: &Offer,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let ice = Mutex::new(offer.ice.clone());
        Self { room, door, _place: place, transport, _media: media, ice, head: offer.head(), _permit: permit }
    }

    /// Names the ICE session (RFC 9725 4.3.1): another one after a restart.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.transport.ice_parameters().username_fragment)
    }

    /// Takes what the client trickled: candidates, or a restart.
    pub(crate) async fn patch(&self, fragment: Fragment) -> Result<Patched, Refusal> {
        if *self.ice.lock().unwrap_or_else(PoisonError::into_inner) == fragment.ice {
            return Ok(Patched::Candidates);
        }
        let parameters = self.transport.restart_ice().await?;
        *self.ice.lock().unwrap_or_else(PoisonError::into_inner) = fragment.ice;
        let candidates = self.transport.ice_candidates();
        Ok(Patched::Restarted(Fragment::restarted(&self.head, &parameters, &candidates)))
    }

    /// Says goodbye by DTLS and closes all; whoever holds the session still finds it closed.
    pub(crate) fn close(&self) {
        self.transport.close();
    }
}

/// The worker that takes sessions now.
fn running(hall: &Hall) -> Result<Arc<Stage>, Refusal> {
    match &*hall.status().borrow() {
        Status::Running(stage) => Ok(Arc::clone(stage)),
        Status::Down(death) => {
            Err(Refusal::Down { reason: death.reason.clone(), retry_s: death.restart_in.as_secs() + 1 })
        }
        Status::Closed => {
            Err(Refusal::Down { reason: "the server is being stopped".to_owned(), retry_s: 10 })
        }
    }
}

/// A place for somebody who reads no news.
async fn enter(hall: &Arc<Hall>, room: &RoomName, door: Door) -> Result<Place, Refusal> {
    let (news, _) = mpsc::channel(1);
    let stage = running(hall)?;
    Ok(hall.enter(&stage, room, door, news).await?)
}

async fn transport(room: &Room) -> Result<(WebRtcTransport, Events<TransportEvent>), RequestError> {
    let options = WebRtcTransportOptions {
        ice_consent_timeout: CONSENT_S,
        ..WebRtcTransportOptions::on_server(&room.stage().server)
    };
    let transport = room.router().create_webrtc_transport(options).await?;
    let events = transport.events();
    Ok((transport, events))
}

fn answer(offer: &Offer, transport: &WebRtcTransport, sections: Vec<Answered>) -> String {
    let (ice, candidates) = (transport.ice_parameters(), transport.ice_candidates());
    Answer { offer, ice, candidates, dtls: transport.dtls_parameters(), sections }.write()
}

/// A section that nothing goes over: it may stay as it is if it could carry something.
fn unused(section: &crate::sdp::Section) -> Answered {
    let could = section.kind.is_some() && section.codecs.iter().any(tidegate::RtpCodecParameters::is_media);
    if could { Answered::Inactive } else { Answered::Rejected }
}

/// Players send a report some five seconds apart (RFC 3550 6.2) and publishers all the time: either is a sign of life.
const CONSENT_S: u8 = 15;
