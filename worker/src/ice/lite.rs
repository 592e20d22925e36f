//! One transport's ICE: answers binding requests, and says which way is used.
//!
//! Knows credentials, tuples, nominations and consent (RFC 8445, RFC 7675). Does not know sockets, DTLS or events: what
//! changed is its result. Called by a WebRTC transport for each STUN datagram, for data by its way, and at its deadline.
//!
//! A lite agent asks nothing, so that RFC 7675 gives it no answers to go by. What keeps the peer's consent here is what
//! only the peer can have made anew: a valid request on any proven way, and authentic SRTP or SRTCP, never a copy, on
//! the selected one. Some agents ask no more once they are connected (libnice sends indications instead, RFC 8445 11),
//! and their media would be cut off. A request proves no more than media does: neither answers to anything of ours. An
//! indication proves nothing, for it need not be signed and anybody can make one.
//!
//! Invariant: there are tuples exactly in the states connected and completed, and a tuple is there only because somebody
//! proved on it that they know the password. What arrives before that costs a fixed amount of work and no memory.

use std::time::Duration;

use tidegate_protocol::webrtc::IceState;

use super::credentials::{Credentials, UsernameFragment};
use super::stun::{BINDING, Class, IntegrityKey, Message, Writer};
use super::tuples::{Tuple, Tuples};
use crate::base::address::SocketKey;
use crate::base::time::Time;

/// A controlled lite agent.
#[derive(Debug)]
pub struct IceLite {
    credentials: Credentials,
    /// Whether a peer has shown the credentials.
    credentials_used: bool,
    state: IceState,
    /// Those from before a restart, until the new ones are used.
    old_credentials: Option<Box<Credentials>>,
    tuples: Tuples,
    /// The newest nomination that the peer has numbered.
    nomination: Option<u32>,
    consent_timeout: ConsentTimeout,
    consent_until: Option<Time>,
    refusals: RefusalQuota,
    stats: IceStats,
}

/// How long the ways live without a sign of the peer (RFC 7675 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentTimeout(Option<Duration>);

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an answer is to be sent, a change to be told"]
pub struct Outcome {
    /// So many bytes of the caller's buffer are the answer, to be sent back on the same tuple. 0: there is none.
    pub answer_bytes: usize,
    /// What was thought of it.
    pub verdict: Verdict,
    /// What it changed.
    pub changes: Changes,
}

/// What is thought of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A request of the peer's: its tuple is proven.
    Accepted,
    /// A request that was not granted.
    Refused(Refusal),
    /// No request: damaged, an indication, an answer to a question that nobody asked, or not ICE's method.
    Ignored,
}

/// Why a request is not granted: the error codes of RFC 8489 14.8 and RFC 8445 7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: something that must be there is not.
    BadRequest,
    /// 401: not our fragment, or not our password.
    Unauthenticated,
    /// 420: it asks for something we do not know.
    UnknownAttribute,
    /// 487: the peer wants us to lead, which a lite agent cannot.
    RoleConflict,
}

/// What a call changed, for the caller to tell. The present values are in the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "tuples that were added and removed are in somebody's tables"]
pub struct Changes {
    /// [`IceLite::state`] is another one.
    pub state: bool,
    /// [`IceLite::selected`] is another one, or none.
    pub selected: bool,
    /// The tuple of this call was added.
    pub added: bool,
    /// This tuple was removed. When it was TCP, its connection is to be closed.
    pub removed: Option<Tuple>,
    /// Credentials with this fragment are valid no more.
    pub retired: Option<UsernameFragment>,
}

/// What arrived, by what was thought of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IceStats {
    /// Valid requests.
    pub requests: u64,
    /// Answered 400, or beyond the quota of such answers.
    pub bad_requests: u64,
    /// Answered 401, or beyond the quota.
    pub unauthenticated: u64,
    /// Answered 420.
    pub unknown_attributes: u64,
    /// Answered 487.
    pub role_conflicts: u64,
    /// Neither answered nor looked at.
    pub ignored: u64,
    /// Data from where nobody has proven a way.
    pub unknown_sources: u64,
}

impl IceLite {
    /// An agent that nobody has called.
    pub fn new(credentials: Credentials, consent_timeout: ConsentTimeout) -> Self {
        Self {
            credentials,
            credentials_used: false,
            state: IceState::New,
            old_credentials: None,
            tuples: Tuples::default(),
            nomination: None,
            consent_timeout,
            consent_until: None,
            refusals: RefusalQuota::default(),
            stats: IceStats::default(),
        }
    }

    /// The credentials that a peer is to be told.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// How far it is.
    pub const fn state(&self) -> IceState {
        self.state
    }

    /// The way to send on.
    pub fn selected(&self) -> Option<&Tuple> {
        self.tuples.selected()
    }

    /// All proven ways.
    pub const fn tuples(&self) -> &Tuples {
        &self.tuples
    }

    /// What arrived so far.
    pub const fn stats(&self) -> &IceStats {
        &self.stats
    }

    /// Fragments under which it can be called: the present one, and the old one after a restart.
    pub fn username_fragments(&self) -> impl Iterator<Item = UsernameFragment> {
        let old = self.old_credentials.as_deref();
        std::iter::once(&self.credentials).chain(old).map(|credentials| credentials.username_fragment)
    }

    /// Takes a datagram that is STUN by its first byte. The answer, if any, is written to `out`, which should have
    /// [`ANSWER_BYTES_MAX`] bytes.
    pub fn on_stun(&mut self, now: Time, tuple: &Tuple, datagram: &[u8], out: &mut [u8]) -> Outcome {
        let message = match Message::parse(datagram) {
            Ok(message) if message.class == Class::Request && message.method == BINDING => message,
            _ => {
                self.stats.ignored += 1;
                return Outcome::of(Verdict::Ignored, 0);
            }
        };
        let signer = match self.authenticate(&message) {
            Ok(signer) => signer,
            Err(refusal) => return self.refuse_stranger(now, &message, refusal, out),
        };
        let key = self.key_of(signer);
        if let Err(refusal) = judge(&message) {
            let answer_bytes = write_refusal(&message, refusal, Some(key), out);
            self.stats.count(refusal);
            return Outcome::of(Verdict::Refused(refusal), answer_bytes);
        }
        let mut answer = Writer::new(out, Class::Success, BINDING, &message.transaction);
        answer.xor_mapped_address(tuple.path.remote);
        let answer_bytes = answer.finish(Some(key)).unwrap_or(0);
        self.stats.requests += 1;
        let retired = if signer == Signer::New { self.retire_old_credentials() } else { None };
        let changes = Changes { retired, ..self.on_proof(now, tuple, &message) };
        Outcome { answer_bytes, verdict: Verdict::Accepted, changes }
    }

    /// Whether data on `tuple` may be looked at at all; counts what may not.
    pub fn admits(&mut self, tuple: &Tuple) -> bool {
        let known = self.tuples.contains(tuple);
        self.stats.unknown_sources += u64::from(!known);
        known
    }

    /// Takes note that SRTP or SRTCP on `tuple` was authentic, and no copy: the peer uses that way, whatever it
    /// nominated, so we do too, and consent is renewed. Nothing happens for a way that is not proven, nor for a
    /// straggler on the one that was just left.
    pub fn on_authenticated_data(&mut self, now: Time, tuple: &Tuple) -> Changes {
        let mut changes = Changes::default();
        if self.selected() != Some(tuple) && !self.tuples.was_just_left(tuple, now) {
            changes.selected = self.tuples.select(tuple, now);
        }
        if self.selected() == Some(tuple) {
            self.consent_until = self.consent_timeout.after(now);
        }
        changes
    }

    /// Removes the tuple of a connection that was closed.
    pub fn on_connection_closed(&mut self, socket: SocketKey) -> Changes {
        match self.tuples.of_socket(socket).copied() {
            Some(tuple) => self.remove(&tuple),
            None => Changes::default(),
        }
    }

    /// Removes a tuple that is no longer this transport's: on a shared socket another one has proven it since.
    pub fn remove(&mut self, tuple: &Tuple) -> Changes {
        let mut changes = Changes::default();
        let Some(tuple) = Some(*tuple).filter(|tuple| self.tuples.contains(tuple)) else { return changes };
        changes.selected = self.selected() == Some(&tuple);
        changes.removed = self.tuples.remove(&tuple);
        if self.tuples.is_empty() {
            self.disconnect();
            changes.state = true;
        }
        changes
    }

    /// New credentials (RFC 8445 9). The ones that the peer uses stay valid until it uses the new ones; what is answered
    /// is valid no more. The ways stay, and get their whole time of consent again.
    pub fn restart(&mut self, now: Time, fresh: Credentials) -> Option<UsernameFragment> {
        let last = std::mem::replace(&mut self.credentials, fresh);
        let gone = if self.credentials_used || self.old_credentials.is_none() {
            self.old_credentials.replace(Box::new(last)).map(|old| *old)
        } else {
            // Restarted twice: what was never used is what nobody misses.
            Some(last)
        };
        self.credentials_used = false;
        if self.consent_until.is_some() {
            self.consent_until = self.consent_timeout.after(now);
        }
        gone.map(|credentials| credentials.username_fragment)
    }

    /// When consent ends, if no sign of the peer comes before.
    pub const fn next_deadline(&self) -> Option<Time> {
        self.consent_until
    }

    /// Ends consent if it is time: all ways are gone, and answered. The state is disconnected then.
    pub fn on_deadline(&mut self, now: Time) -> Option<Tuples> {
        if self.consent_until.is_none_or(|until| until > now) {
            return None;
        }
        let tuples = std::mem::take(&mut self.tuples);
        self.disconnect();
        Some(tuples)
    }

    fn authenticate(&self, message: &Message<'_>) -> Result<Signer, Refusal> {
        let (Some(username), true, true) =
            (message.username, message.has_fingerprint(), message.has_integrity())
        else {
            return Err(Refusal::BadRequest);
        };
        let signer = if self.credentials.are_named_by(username) {
            Signer::New
        } else if self.old_credentials.as_ref().is_some_and(|old| old.are_named_by(username)) {
            Signer::Old
        } else {
            return Err(Refusal::Unauthenticated);
        };
        if message.is_signed_by(self.key_of(signer)) { Ok(signer) } else { Err(Refusal::Unauthenticated) }
    }

    fn key_of(&self, signer: Signer) -> &IntegrityKey {
        match (signer, &self.old_credentials) {
            (Signer::Old, Some(old)) => &old.key,
            _ => &self.credentials.key,
        }
    }

    /// Refuses somebody who has proven nothing: so many times a second with an answer, then without one.
    fn refuse_stranger(
        &mut self,
        now: Time,
        message: &Message<'_>,
        refusal: Refusal,
        out: &mut [u8],
    ) -> Outcome {
        self.stats.count(refusal);
        let answers = self.refusals.take(now);
        let answer_bytes = if answers { write_refusal(message, refusal, None, out) } else { 0 };
        Outcome::of(Verdict::Refused(refusal), answer_bytes)
    }

    fn retire_old_credentials(&mut self) -> Option<UsernameFragment> {
        self.credentials_used = true;
        let old = self.old_credentials.take()?;
        // The peer begins anew, and so may its numbers.
        self.nomination = None;
        Some(old.username_fragment)
    }

    /// The peer has proven `tuple`.
    fn on_proof(&mut self, now: Time, tuple: &Tuple, message: &Message<'_>) -> Changes {
        let mut changes = Changes::default();
        let selected = self.selected().copied();
        if !self.tuples.contains(tuple) {
            changes.removed = self.tuples.add(*tuple);
            changes.added = true;
        }
        let mut state = match self.state {
            IceState::New | IceState::Disconnected => IceState::Connected,
            IceState::Connected => IceState::Connected,
            IceState::Completed => IceState::Completed,
        };
        if self.accepts_nomination(message) {
            self.tuples.select(tuple, now);
            state = IceState::Completed;
        }
        changes.state = std::mem::replace(&mut self.state, state) != state;
        changes.selected = self.selected() != selected.as_ref();
        self.consent_until = self.consent_timeout.after(now);
        changes
    }

    /// Whether a request nominates its way. A numbered nomination must not be older than one that was heard already: a
    /// request that was overtaken does not undo the next.
    fn accepts_nomination(&mut self, message: &Message<'_>) -> bool {
        let Some(number) = message.nomination else { return message.use_candidate };
        let newest = self.nomination.is_none_or(|newest| number >= newest);
        if newest {
            self.nomination = Some(number);
        }
        newest
    }

    fn disconnect(&mut self) {
        self.state = IceState::Disconnected;
        self.nomination = None;
        self.consent_until = None;
    }
}

/// Whose password a request is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signer {
    New,
    Old,
}

impl ConsentTimeout {
    /// Zero seconds turn consent off: a way then lives until another one displaces it or its connection is closed.
    /// Other values are brought into 10..=60.
    pub const fn from_seconds(seconds: u8) -> Self {
        match seconds {
            0 => Self(None),
            1..10 => Self(Some(Duration::from_secs(10))),
            10..=60 => Self(Some(Duration::from_secs(seconds as u64))),
            _ => Self(Some(Duration::from_secs(60))),
        }
    }

    fn after(self, now: Time) -> Option<Time> {
        self.0.map(|timeout| now + timeout)
    }
}

impl Default for ConsentTimeout {
    /// 30 s.
    fn default() -> Self {
        Self::from_seconds(30)
    }
}

impl Outcome {
    fn of(verdict: Verdict, answer_bytes: usize) -> Self {
        Self { answer_bytes, verdict, changes: Changes::default() }
    }
}

impl Refusal {
    /// The number in the answer.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::UnknownAttribute => 420,
            Self::RoleConflict => 487,
        }
    }
}

impl IceStats {
    fn count(&mut self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::BadRequest => &mut self.bad_requests,
            Refusal::Unauthenticated => &mut self.unauthenticated,
            Refusal::UnknownAttribute => &mut self.unknown_attributes,
            Refusal::RoleConflict => &mut self.role_conflicts,
        };
        *counter += 1;
    }
}

/// How often strangers are still answered in this second: an answer goes to an address that anybody may have forged.
#[derive(Debug, Default)]
struct RefusalQuota {
    second: u64,
    used: u8,
}

impl RefusalQuota {
    fn take(&mut self, now: Time) -> bool {
        let second = now.as_millis() / 1_000;
        if second != self.second {
            *self = Self { second, used: 0 };
        }
        let may = self.used < REFUSALS_A_SECOND;
        self.used += u8::from(may);
        may
    }
}

/// What is wrong with a request of somebody who knows the password.
fn judge(message: &Message<'_>) -> Result<(), Refusal> {
    if !message.unknown_attributes().is_empty() {
        return Err(Refusal::UnknownAttribute);
    }
    if message.priority.is_none() {
        return Err(Refusal::BadRequest);
    }
    if message.controlled.is_some() {
        return Err(Refusal::RoleConflict);
    }
    Ok(())
}

/// Answers the length; 0 when it did not fit.
fn write_refusal(
    message: &Message<'_>,
    refusal: Refusal,
    key: Option<&IntegrityKey>,
    out: &mut [u8],
) -> usize {
    let mut answer = Writer::new(out, Class::Error, BINDING, &message.transaction);
    answer.error_code(refusal.code());
    if refusal == Refusal::UnknownAttribute {
        answer.unknown_attributes(message.unknown_attributes().types());
    }
    answer.finish(key).unwrap_or(0)
}

/// The longest answer: header, IPv6 XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT.
pub const ANSWER_BYTES_MAX: usize = 20 + 24 + 24 + 8;

/// Answers to strangers, of one transport. A peer with an old offer needs one; a flood deserves none.
const REFUSALS_A_SECOND: u8 = 20;

const _: () = assert!(size_of::<IceLite>() == 352);
const _: () = assert!(size_of::<Credentials>() == 192);

#[cfg(test)]
mod tests;
