//! When to ask a producer's peer for a key frame.
//!
//! Knows times. Does not know PLI from FIR, nor who asked. The first request goes out at once, later ones within the
//! delay are merged into one at its end; a request that stays without a key frame for a second is repeated once.

use std::time::Duration;

use crate::base::time::Time;

/// One stream's requests.
#[derive(Debug)]
pub(crate) struct KeyFrameRequests {
    delay: Duration,
    /// When the last one went out.
    sent: Option<Time>,
    /// Somebody asked since then.
    wanted: bool,
    /// None came since then.
    unanswered: bool,
    /// The last one was a repeat.
    repeated: bool,
}

impl KeyFrameRequests {
    /// At most one request in `delay`; zero takes the default of 500 ms.
    pub(crate) fn new(delay: Duration) -> Self {
        let delay = if delay.is_zero() { DELAY } else { delay };
        Self { delay, sent: None, wanted: false, unanswered: false, repeated: false }
    }

    /// Somebody needs a key frame. Whether to send a request now; else [`Self::next_deadline`] says when.
    pub(crate) fn request(&mut self, now: Time) -> bool {
        self.wanted = true;
        self.due(now)
    }

    /// Whether to send a request now.
    pub(crate) fn due(&mut self, now: Time) -> bool {
        let Some(at) = self.next_deadline() else { return false };
        if at > now {
            return false;
        }
        self.repeated = !self.wanted;
        self.wanted = false;
        self.unanswered = true;
        self.sent = Some(now);
        true
    }

    /// A key frame came: what was asked for until now is served.
    pub(crate) fn on_key_frame(&mut self) {
        self.wanted = false;
        self.unanswered = false;
        self.repeated = false;
    }

    /// When [`Self::due`] will next say yes.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match self.sent {
            None => self.wanted.then_some(Time::ZERO),
            Some(sent) if self.wanted => Some(sent + self.delay),
            Some(sent) if self.unanswered && !self.repeated => Some(sent + PATIENCE.max(self.delay)),
            Some(_) => None,
        }
    }

    /// Forgets what was asked: nobody is there any more to see it.
    pub(crate) fn cancel(&mut self) {
        self.on_key_frame();
    }
}

/// Least time between two requests, unless the producer was made with another.
const DELAY: Duration = Duration::from_millis(500);
/// How long a request may stay unanswered before it is repeated.
const PATIENCE: Duration = Duration::from_millis(1_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Time {
        Time::from_millis(10_000 + millis)
    }

    #[test]
    fn first_request_leaves_at_once_and_a_storm_becomes_one_more() {
        let mut requests = KeyFrameRequests::new(Duration::ZERO);
        assert!(requests.request(ms(0)));
        assert!((1..500).all(|at| !requests.request(ms(at))));
        assert_eq!(requests.next_deadline(), Some(ms(500)));
        assert!(requests.due(ms(500)));
        assert!(!requests.due(ms(501)));
    }

    #[test]
    fn unanswered_request_is_repeated_once() {
        let mut requests = KeyFrameRequests::new(Duration::ZERO);
        assert!(requests.request(ms(0)));
        assert!(!requests.due(ms(999)));
        assert!(requests.due(ms(1_000)));
        assert_eq!(requests.next_deadline(), None);
    }

    #[test]
    fn key_frame_ends_the_wait() {
        let mut requests = KeyFrameRequests::new(Duration::ZERO);
        assert!(requests.request(ms(0)));
        assert!(!requests.request(ms(10)));
        requests.on_key_frame();
        assert_eq!(requests.next_deadline(), None);
        assert!(!requests.request(ms(400)), "the delay still counts from the last request");
        assert!(requests.due(ms(500)));
    }
}
