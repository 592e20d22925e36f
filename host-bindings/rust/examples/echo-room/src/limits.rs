//! How much anybody may ask of this program, and what a room may be called.
//!
//! Knows numbers and names. Does not know rooms or sockets. Invariant: a [`RoomName`] was checked once and is trusted
//! from then on.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The most of everything that outsiders can make more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// WebSockets at a time; more are told to come back later.
    pub sockets: usize,
    /// TCP connections at a time, WebSockets among them; more wait in the kernel's queue.
    pub connections: usize,
    /// WHIP and WHEP sessions at a time; more are told to come back later.
    pub sessions: usize,
    /// A WHIP or WHEP session whose media does not connect for so long is closed, from the beginning as after a break.
    pub connecting: Duration,
    /// Rooms at a time.
    pub rooms: usize,
    /// Visitors in one room.
    pub visitors: usize,
    /// A connection that nothing is heard of for so long is closed. WebSockets are asked for a sign of life three
    /// times as often.
    pub silence: Duration,
}

impl Default for Limits {
    /// What one worker on one core can carry, roughly, and half of the 1,024 descriptors that a process usually has.
    fn default() -> Self {
        Self {
            sockets: 400,
            connections: 512,
            sessions: 200,
            connecting: Duration::from_secs(10),
            rooms: 100,
            visitors: 16,
            silence: Duration::from_secs(15),
        }
    }
}

/// What a room is called: 1 to 64 characters, none of them a control character, no blanks at the ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomName(String);

/// Why a room cannot be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing, or nothing but blanks.
    #[error("a room needs a name: open /NAME, for example /kitchen")]
    Empty,
    /// Longer than a name should be.
    #[error("a room's name has {CHARACTERS_MAX} characters at most; choose a shorter one")]
    TooLong,
    /// Something in it cannot be shown.
    #[error("a room's name has no control characters; choose one of letters, digits and signs")]
    Control,
}

impl FromStr for RoomName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.chars().nth(CHARACTERS_MAX).is_some() {
            return Err(BadName::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadName::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fits a title and an address bar.
const CHARACTERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_checked() {
        let name = |text: &str| text.parse::<RoomName>().map(|name| name.to_string());
        assert_eq!(name(" kitchen "), Ok("kitchen".to_owned()));
        assert_eq!(name("<b>Küche</b> & Ко/台所"), Ok("<b>Küche</b> & Ко/台所".to_owned()));
        assert_eq!(name(" \t"), Err(BadName::Empty));
        assert_eq!(name("a\u{0}b"), Err(BadName::Control));
        assert_eq!(name("a\nb"), Err(BadName::Control));
        assert_eq!(name(&"ж".repeat(CHARACTERS_MAX)), Ok("ж".repeat(CHARACTERS_MAX)));
        assert_eq!(name(&"ж".repeat(CHARACTERS_MAX + 1)), Err(BadName::TooLong));
    }
}
