//! Networks that lose one packet of twenty each way and take 40 ms: what is lost comes again, and viewers decode what
//! was sent. Over the same networks without loss nothing is asked for.

use libtest_mimic::Failed;
use tidegate::stats::RtpStreamStats;
use tidegate_tests::proxy::Proxy;

use super::SEND_MAX;
use crate::codec::Codec;
use crate::judge::{ensure, first_came_through, places};
use crate::lossy::{Plays, Room, Sender, Viewer};
use crate::recording::{Recording, recording_of};
use crate::watch::{no_panics, until};

/// GStreamer sends over a lossy network: the worker asks it by NACK and takes RTX. Of two viewers one is behind a lossy
/// network too: GStreamer asks the worker by NACK and takes RTX. The other, ffmpeg, loses nothing, asks for nothing and
/// gets everything: what the worker forwards is repaired.
pub(crate) async fn on_both_legs(codec: Codec) -> Result<(), Failed> {
    let recording = recording_of([codec, Codec::Opus], SECONDS)?;
    let room = Room::open(codec, LOSS_PERMILLE).await?;
    let sender = room.lossy_sender().await?;
    let name = |plays: &str| format!("repaired-{codec:?}-{plays}");
    let viewers = [
        room.viewer(Plays::LossyGstreamer, &sender, &name("gstreamer")).await?,
        room.viewer(Plays::CleanFfmpeg, &sender, &name("ffmpeg")).await?,
    ];
    played(&recording, &sender, &viewers).await?;
    let received = received(&sender).await?;
    let repaired = received.nack_count > 0 && received.packets_repaired > 0;
    ensure(repaired, || format!("the sender was not asked: {received:?}"))?;
    let [lossy, clean] = [sent(&viewers[0]).await?, sent(&viewers[1]).await?];
    ensure(lossy.nack_count > 0 && lossy.packets_retransmitted > 0, || format!("nobody asked: {lossy:?}"))?;
    ensure((clean.nack_count, clean.packets_retransmitted) == (0, 0), || format!("who asked? {clean:?}"))?;
    lost_and_sent_again(sender.proxy.as_ref())?;
    lost_and_sent_again(viewers[0].proxy.as_ref())?;
    no_panics(&room.worker).await
}

/// ffmpeg cannot send again, so it sends over a network that loses nothing. Its viewer behind a lossy one, GStreamer,
/// takes RTX from the worker, which alone remembers.
pub(crate) async fn on_the_viewers_leg() -> Result<(), Failed> {
    let recording = recording_of([Codec::Vp8, Codec::Opus], SECONDS)?;
    let room = Room::open(Codec::Vp8, LOSS_PERMILLE).await?;
    let sender = room.clean_sender().await?;
    let viewers = [room.viewer(Plays::LossyGstreamer, &sender, "ffmpeg-lossy-gstreamer").await?];
    played(&recording, &sender, &viewers).await?;
    let received = received(&sender).await?;
    ensure((received.nack_count, received.packets_lost) == (0, 0), || {
        format!("asked for what? {received:?}")
    })?;
    lost_and_sent_again(viewers[0].proxy.as_ref())?;
    let sent = sent(&viewers[0]).await?;
    ensure(sent.nack_count > 0 && sent.packets_retransmitted > 0, || format!("nobody asked: {sent:?}"))?;
    no_panics(&room.worker).await
}

/// Nobody asks for anything, and nothing is sent again.
pub(crate) async fn nothing_to_repair(codec: Codec) -> Result<(), Failed> {
    let recording = recording_of([codec, Codec::Opus], SECONDS)?;
    let room = Room::open(codec, 0).await?;
    let sender = room.lossy_sender().await?;
    let viewers = [room.viewer(Plays::LossyGstreamer, &sender, &format!("whole-{codec:?}")).await?];
    played(&recording, &sender, &viewers).await?;
    for stats in [received(&sender).await?, sent(&viewers[0]).await?] {
        let asked = (stats.nack_count, stats.nack_packet_count, stats.packets_retransmitted);
        ensure(asked == (0, 0, 0), || format!("something was asked for: {stats:?}"))?;
    }
    for proxy in [&sender.proxy, &viewers[0].proxy].into_iter().flatten() {
        let tally = proxy.tally();
        let rtx = tally.to_worker.rtx.came + tally.to_peer.rtx.came;
        ensure((tally.dropped(), rtx) == (0, 0), || format!("RTX or a loss: {tally}"))?;
    }
    no_panics(&room.worker).await
}

/// Sends until every viewer has shown a picture behind the first [`PICTURES`], of which at least 99 % must have come to
/// each. What comes last is not judged: when nothing follows it, nobody knows that it is missing. Prints what the proxies
/// dropped and what the worker counted.
async fn played(recording: &Recording, sender: &Sender, viewers: &[Viewer]) -> Result<(), Failed> {
    let [codec, _] = recording.codecs;
    let sending = sender.send(codec, &recording.file)?;
    let all: Vec<&String> = recording.decoded.pictures.iter().collect();
    let has_shown = |viewer: &Viewer| {
        places(&all, &viewer.decoded().pictures).last().is_some_and(|place| *place >= PICTURES)
    };
    // When they never do, the judge says how far they came.
    let _ = tokio::time::timeout(SEND_MAX, until(async || Ok(viewers.iter().all(has_shown)))).await;
    drop(sending);
    let stats = received(sender).await?;
    println!("{codec:?} from {}", describe(sender.proxy.as_ref(), &stats));
    let mut result = Ok(());
    for viewer in viewers {
        let judged = first_came_through(recording, &viewer.decoded(), PICTURES);
        let (plays, network) = (viewer.plays, describe(viewer.proxy.as_ref(), &sent(viewer).await?));
        println!("{codec:?} to {plays:?}: {judged:?} of the first {PICTURES} pictures decoded; {network}");
        let judged =
            judged.map_err(|failed| format!("{plays:?}: {:?}; {}", failed.message(), viewer.log()).into());
        result = result.and_then(|()| judged.map(drop));
    }
    result
}

/// What the proxy saw agrees: media was lost, and RTX went by.
fn lost_and_sent_again(proxy: Option<&Proxy>) -> Result<(), Failed> {
    let tally = proxy.ok_or("this network is a clean one")?.tally();
    let (lost, rtx) = (
        tally.to_worker.rtp.dropped + tally.to_peer.rtp.dropped,
        tally.to_worker.rtx.came + tally.to_peer.rtx.came,
    );
    ensure(lost > 0 && rtx > 0, || format!("no loss, or no RTX: {tally}"))
}

fn describe(proxy: Option<&Proxy>, stats: &RtpStreamStats) -> String {
    let way = proxy
        .map_or_else(|| "a clean network".to_owned(), |proxy| format!("the proxy, which {}", proxy.tally()));
    format!(
        "{way}; the worker counts {} packets, {} NACKs of {}, {} retransmitted, {} repaired, {} lost",
        stats.packet_count,
        stats.nack_count,
        stats.nack_packet_count,
        stats.packets_retransmitted,
        stats.packets_repaired,
        stats.packets_lost
    )
}

async fn received(sender: &Sender) -> Result<RtpStreamStats, Failed> {
    Ok(sender.producer.get_stats().await?.into_iter().next().ok_or("nothing was received")?)
}

async fn sent(viewer: &Viewer) -> Result<RtpStreamStats, Failed> {
    Ok(viewer.consumer.get_stats().await?.own)
}

/// Of every network that is lossy, both ways.
const LOSS_PERMILLE: u32 = 50;
/// What is sent, and what of it is judged: five seconds.
const SECONDS: usize = 6;
const PICTURES: usize = 150;
