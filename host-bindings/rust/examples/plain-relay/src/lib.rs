//! A relay from one sender to any number of viewers, over plain RTP, built on a Tidegate worker.
//!
//! The program is `src/main.rs`. What it is made of is a library, so that the integration tests of the project start
//! the same relay and the same ffmpeg command lines that the terminal shows.
//!
//! | module | knows |
//! | --- | --- |
//! | [`relay`] | the worker: router, transports, producers, consumers |
//! | [`figures`] | what to ask the worker for, and the numbers made of the answers |
//! | [`ffmpeg`], [`gstreamer`] | command lines of peers |
//! | [`sdp`], [`ports`] | what a player must be told, and where it can listen |

pub mod ffmpeg;
pub mod figures;
pub mod gstreamer;
pub mod ports;
pub mod relay;
pub mod sdp;

pub use tidegate::MediaKind;

/// `audio` or `video`, as session descriptions and people write it.
pub fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

/// The code in README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../../../README.md")]
#[derive(Debug)]
pub struct Readme;
