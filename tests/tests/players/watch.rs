//! What the worker tells of a relay while it runs, and waiting until it tells something.
//!
//! Knows statistics of producers, consumers and transports. Does not know players or files.

use std::time::Duration;

use libtest_mimic::Failed;
use plain_relay::relay::{Relay, Viewer};
use tidegate::Worker;
use tidegate::stats::{DroppedPackets, RtpStreamStats};

use crate::judge::ensure;

/// Asks every now and then until `condition` holds. The whole test has a limit of time.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    while !condition().await? {
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// Waits until nothing moves in the worker any more.
pub(crate) async fn settled(relay: &Relay) -> Result<(), Failed> {
    let mut last = Vec::new();
    until(async || {
        let mut counts = Vec::new();
        for producer in relay.producers() {
            counts.extend(producer.get_stats().await?.iter().map(|stats| stats.packet_count));
        }
        for viewer in relay.viewers() {
            counts.extend(sent_to(viewer).await?.iter().map(|stats| stats.packet_count));
        }
        let still = counts == last;
        last = counts;
        Ok(still)
    })
    .await
}

/// What goes to a viewer: video and audio.
pub(crate) async fn sent_to(viewer: &Viewer) -> Result<Vec<RtpStreamStats>, Failed> {
    let mut sent = Vec::new();
    for consumer in viewer.consumers() {
        sent.push(consumer.get_stats().await?.own);
    }
    Ok(sent)
}

/// Packets of video and audio that came from the sender.
pub(crate) async fn packets_received(relay: &Relay) -> Result<[u64; 2], Failed> {
    let [video, audio] = relay.producers();
    let (video, audio) = (video.get_stats().await?, audio.get_stats().await?);
    Ok([video, audio].map(|stats| stats.iter().map(|stats| stats.packet_count).sum()))
}

/// The sender's reports came to the RTCP port of each ingest.
pub(crate) async fn sender_reports_arrived(relay: &Relay) -> Result<(), Failed> {
    for transport in relay.ingest_transports() {
        let stats = transport.get_stats().await?;
        let others = stats.received.packets - stats.rtp_received.packets;
        ensure(others > 0, || format!("no RTCP came from the sender: {stats:?}"))?;
        let dropped = stats.dropped;
        ensure(dropped == DroppedPackets::default(), || format!("packets were dropped: {dropped:?}"))?;
    }
    Ok(())
}

/// The worker's sender reports went to the RTCP ports of the viewers.
pub(crate) async fn reports_went_out(relay: &Relay) -> Result<(), Failed> {
    for transport in relay.viewers().iter().flat_map(|viewer| viewer.transports()) {
        let stats = transport.get_stats().await?;
        let reports = stats.sent.packets - stats.rtp_sent.packets;
        ensure(reports > 0, || format!("no report went to a viewer: {stats:?}"))?;
    }
    Ok(())
}

/// No defect was contained.
pub(crate) async fn no_panics(worker: &Worker) -> Result<(), Failed> {
    let contained = worker.dump().await?.panics_contained;
    ensure(contained == 0, || format!("{contained} panics in the worker"))
}

const ASK_EVERY: Duration = Duration::from_millis(100);
