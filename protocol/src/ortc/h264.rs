//! `profile-level-id` of H264 (RFC 6184 8.1): which profiles are the same, and which level an answer states.
//!
//! Knows profiles, constraint flags and levels. Does not know the other parameters of H264. Used by
//! [`matching`](super::matching). Invariant: a text that is no known profile and level is `None`, never a guess.

use super::dictionary::ParameterValue;

/// A profile that WebRTC endpoints negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// A level, ordered by what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

/// What `profile-level-id` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProfileLevelId {
    pub(super) profile: Profile,
    pub(super) level: Level,
}

/// `profile_idc`, bits of `profile_iop` that count, their values, and the profile (RFC 6184 8.1, table 5).
const PROFILES: [(u8, u8, u8, Profile); 9] = [
    (0x42, 0b0100_1111, 0b0100_0000, Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, Profile::PredictiveHigh444),
];

/// `level_idc` of all levels but 1b.
const LEVELS: [u8; 16] = [10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52];

/// With `level_idc` 11: level 1b instead of 1.1 (constraint_set3_flag).
const LEVEL_1B_FLAG: u8 = 0x10;

impl Level {
    /// Levels count in `level_idc` times two, so that 1b has a place between 1 and 1.1.
    const L1B: Self = Self(21);
    const L3_1: Self = Self(62);

    fn new(level_idc: u8, profile_iop: u8) -> Option<Self> {
        if level_idc == 11 && profile_iop & LEVEL_1B_FLAG != 0 {
            return Some(Self::L1B);
        }
        LEVELS.contains(&level_idc).then(|| Self(level_idc.saturating_mul(2)))
    }
}

impl ProfileLevelId {
    /// What counts where the parameter is absent.
    pub(super) const DEFAULT: Self = Self { profile: Profile::ConstrainedBaseline, level: Level::L3_1 };

    /// Reads six hexadecimal digits, which JSON may hold as a number when all of them are decimal.
    pub(super) fn parse(value: &ParameterValue) -> Option<Self> {
        let text = value.text();
        let digits = text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(&text, 16).ok().filter(|_| digits)?;
        let [_, profile_idc, profile_iop, level_idc] = number.to_be_bytes();
        let (.., profile) = PROFILES
            .iter()
            .find(|(idc, mask, bits, _)| *idc == profile_idc && profile_iop & mask == *bits)?;
        Some(Self { profile: *profile, level: Level::new(level_idc, profile_iop)? })
    }

    /// Six digits; `None` where the profile has no level 1b.
    pub(super) fn to_text(self) -> Option<String> {
        use Profile::{Baseline, ConstrainedBaseline, ConstrainedHigh, High, Main, PredictiveHigh444};
        if self.level == Level::L1B {
            return match self.profile {
                ConstrainedBaseline => Some("42f00b".to_owned()),
                Baseline => Some("42100b".to_owned()),
                Main => Some("4d100b".to_owned()),
                ConstrainedHigh | High | PredictiveHigh444 => None,
            };
        }
        let profile = match self.profile {
            ConstrainedBaseline => "42e0",
            Baseline => "4200",
            Main => "4d00",
            ConstrainedHigh => "640c",
            High => "6400",
            PredictiveHigh444 => "f400",
        };
        Some(format!("{profile}{:02x}", self.level.0 / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<ProfileLevelId> {
        ProfileLevelId::parse(&text.into())
    }

    #[test]
    fn profiles_are_told_by_their_flags() {
        let table = [
            ("42e01f", Profile::ConstrainedBaseline, "42e01f"),
            ("42C02A", Profile::ConstrainedBaseline, "42e02a"),
            ("4de01f", Profile::ConstrainedBaseline, "42e01f"),
            ("58f01f", Profile::ConstrainedBaseline, "42e01f"),
            ("42001f", Profile::Baseline, "42001f"),
            ("58a01f", Profile::Baseline, "42001f"),
            ("4d001f", Profile::Main, "4d001f"),
            ("4d401f", Profile::Main, "4d001f"),
            ("64001f", Profile::High, "64001f"),
            ("640c1f", Profile::ConstrainedHigh, "640c1f"),
            ("f40034", Profile::PredictiveHigh444, "f40034"),
            ("42f00b", Profile::ConstrainedBaseline, "42f00b"),
            ("42100b", Profile::Baseline, "42100b"),
            ("4d100b", Profile::Main, "4d100b"),
        ];
        for (text, profile, canonical) in table {
            let read = parse(text).unwrap();
            assert_eq!(read.profile, profile, "{text}");
            assert_eq!(read.to_text().as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn what_is_no_profile_and_level_is_nothing() {
        let texts =
            ["", "42e0", "42e01f0", "42e01g", "+2e01f", "42e000", "42e0ff", "58601f", "64e01f", "ffffff"];
        for text in texts {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(ProfileLevelId::parse(&(-42_001).into()), None);
    }

    #[test]
    fn decimal_digits_may_come_as_a_number() {
        assert_eq!(ProfileLevelId::parse(&640_028.into()), parse("640028"));
        assert!(parse("640028").is_some());
    }

    #[test]
    fn level_1b_lies_between_1_and_1_1() {
        let level = |text| parse(text).unwrap().level;
        assert!(level("42000a") < level("42100b"));
        assert!(level("42100b") < level("42000b"));
        assert!(level("42001f") < level("420034"));
        assert_eq!(ProfileLevelId::DEFAULT, parse("42e01f").unwrap());
    }

    #[test]
    fn profiles_without_a_level_1b_have_no_text_for_it() {
        let high = ProfileLevelId { profile: Profile::High, level: Level::L1B };
        assert_eq!(high.to_text(), None);
    }
}
