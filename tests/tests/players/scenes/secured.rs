//! SRTP with the ciphers of the tools: ffmpeg has its own, GStreamer those of libsrtp. Every suite is sent to the worker
//! and by the worker, and what viewers decode is what the sender's file decodes to. A stranger is not heard.

use libtest_mimic::Failed;
use openssl::base64::encode_block;
use plain_relay::ffmpeg::Output;
use plain_relay::relay::{Relay, Sender};
use tidegate::{SrtpCryptoSuite, SrtpParameters, Worker, WorkerSettings};

use super::codecs::played;
use super::{LOOPBACK, SEND_MAX, free_pair, send_to};
use crate::codec::{Codec, Codecs};
use crate::gstreamer::protection::own_key;
use crate::judge::ensure;
use crate::player::Tool;
use crate::recording::recording;
use crate::watch::{no_panics, packets_received, until};

/// Who, and by which suite.
pub(crate) type Party = (Tool, SrtpCryptoSuite);

/// One sender, and viewers. All decode the recording.
pub(crate) async fn plays_through((sender, suite): Party, viewers: &[Party]) -> Result<(), Failed> {
    let recording = recording(CODECS)?;
    let mut relay = relay(suite).await?;
    for (_, suite) in viewers {
        relay
            .add_secured_viewer(LOOPBACK, [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?], &own_key(*suite))
            .await?;
    }
    let tools: Vec<Tool> = viewers.iter().map(|(tool, _)| *tool).collect();
    played(sender, &recording, &relay, &tools, &format!("srtp-{suite:?}")).await
}

/// Who sends under another key than the worker was told is counted, and neither heard nor learnt.
pub(crate) async fn another_key() -> Result<(), Failed> {
    let recording = recording(CODECS)?;
    let suite = SrtpCryptoSuite::AesCm128HmacSha1_80;
    let relay = relay(suite).await?;
    let outputs = relay.outputs().map(|output| Output { srtp: Some(key(suite, 9)), ..output });
    let sending = send_to(&recording, outputs)?;
    let refused = until(async || {
        let mut refused = Vec::new();
        for transport in relay.ingest_transports() {
            refused.push(transport.get_stats().await?.dropped.unauthenticated);
        }
        Ok(refused.iter().all(|packets| *packets >= REFUSED_MIN))
    });
    tokio::time::timeout(SEND_MAX, refused).await??;
    drop(sending);
    let received = packets_received(&relay).await?;
    ensure(received == [0, 0], || format!("{received:?} packets came through"))?;
    for transport in relay.ingest_transports() {
        ensure(transport.tuple().remote_port.is_none(), || format!("a stranger was learnt: {transport:?}"))?;
    }
    no_panics(relay.worker()).await
}

/// A worker with a relay for a sender with this suite.
async fn relay(suite: SrtpCryptoSuite) -> Result<Relay, Failed> {
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    let sender = Sender::Secured(key(suite, 1));
    Ok(Relay::start_with(worker, LOOPBACK, None, sender, CODECS.map(Codec::parameters)).await?)
}

fn key(suite: SrtpCryptoSuite, seed: u8) -> SrtpParameters {
    let bytes: Vec<u8> = (seed..).take(suite.key_length()).collect();
    SrtpParameters::new(suite, encode_block(&bytes))
}

const CODECS: Codecs = [Codec::Vp8, Codec::Opus];
/// Of each stream, a second of audio.
const REFUSED_MIN: u64 = 50;
