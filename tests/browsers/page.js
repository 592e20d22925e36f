// A visitor of an echo room who sends a picture and sound, receives both back and counts.
//
// `echo(scene)` is called once by run.js, which documents `scene`; what it returns is judged elsewhere.

import { Device } from "mediasoup-client";
import { converse } from "./signalling.js";
import { Loudness } from "./loudness.js";

window.echo = async (scene) => {
  const visit = await enter(scene);
  await until("the first frame of the echo", () => visit.firstFrameMs !== null);
  await until("the sound of the echo", () => visit.consumers.audio);
  await visit.listen();
  // Pictures that are under way when counting begins or ends would count as lost or as too many: both ends of the
  // window lie where nothing is under way.
  await visit.pauseSending();
  const before = await visit.count();
  await visit.resumeSending();
  await until("pictures after the pause", async () => (await visit.decoded()) >= before.framesDecoded + SETTLED_FRAMES);
  // The pause itself is a freeze; it is over now.
  const freezesBefore = (await visit.count()).freezeCount;
  const firstFrameMs = [visit.firstFrameMs];
  if (scene.restartIce) {
    await sent(visit, scene.frames / 2);
    await visit.restartIce();
  }
  await sent(visit, scene.frames);
  await visit.pauseSending();
  const after = await visit.count();
  if (scene.resumes) {
    await visit.resumeSending();
    await until("pictures to pause", async () => (await visit.decoded()) > after.framesDecoded + SETTLED_FRAMES);
    for (let i = 0; i < scene.resumes; i += 1) firstFrameMs.push(await visit.resumeAgain());
  }
  const difference = (name) => after[name] - before[name];
  return {
    framesEncoded: difference("framesEncoded"),
    framesDecoded: difference("framesDecoded"),
    freezeCount: after.freezeCount - freezesBefore,
    sentEnergy: difference("sentEnergy"),
    heardEnergy: difference("heardEnergy"),
    sentNacks: after.sentNacks,
    receivedNacks: after.receivedNacks,
    videoCodec: after.videoCodec,
    firstFrameMs,
    iceRestarts: visit.iceRestarts,
    candidates: visit.candidates,
    transports: await visit.transports(),
  };
};

// After so many frames a decoder runs steadily.
const SETTLED_FRAMES = 5;

async function sent(visit, frames) {
  const from = (await visit.count()).framesEncoded;
  await until(`${frames} frames to be encoded`, async () => (await visit.count()).framesEncoded >= from + frames);
}

async function enter(scene) {
  const room = await converse(scene.signalling);
  const device = await Device.factory();
  await device.load({ routerRtpCapabilities: await room.ask("routerRtpCapabilities") });
  const candidates = [];
  const create = async () => {
    const told = await room.ask("createTransport", { forceTcp: scene.forceTcp, ownPorts: scene.ownPorts });
    // The way to the worker leads through a proxy.
    if (scene.throughUdpPort) {
      told.iceCandidates = told.iceCandidates.filter(({ protocol }) => protocol === "udp")
        .map((candidate) => ({ ...candidate, port: scene.throughUdpPort }));
    }
    candidates.push(...told.iceCandidates);
    return told;
  };
  const sending = device.createSendTransport(await create());
  const receiving = device.createRecvTransport(await create());
  for (const transport of [sending, receiving]) {
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      room.ask("connectTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    transport.on("connectionstatechange", (state) => console.log(`${transport.direction} transport: ${state}`));
  }
  sending.on("produce", ({ kind, rtpParameters }, done, failed) => {
    room.ask("produce", { transportId: sending.id, kind, rtpParameters }).then(done, failed);
  });
  const visit = new Visit(room, sending, receiving, candidates);
  room.onEvent(({ event, data }) => {
    if (event === "newProducer") visit.consume(data.producerId);
  });
  await room.ask("join", { rtpCapabilities: device.recvRtpCapabilities });
  await visit.send(scene, device.sendRtpCapabilities.codecs);
  return visit;
}

class Visit {
  firstFrameMs = null;
  iceRestarts = 0;
  consumers = {};

  constructor(room, sending, receiving, candidates) {
    Object.assign(this, { room, sending, receiving, candidates });
    // Transports take one request after another.
    this.order = Promise.resolve();
  }

  async send(scene, codecs) {
    const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
    [this.picture] = media.getVideoTracks();
    [this.sound] = media.getAudioTracks();
    const codec = codecs.find(({ mimeType }) => mimeType.toLowerCase() === `video/${scene.video}`.toLowerCase());
    if (!codec) throw new Error(`this browser or this room has no ${scene.video}`);
    this.audio = await this.sending.produce({ track: this.sound, stopTracks: false });
    this.video = await this.sending.produce({ track: this.picture, codec, stopTracks: false });
  }

  consume(producerId) {
    this.order = this.order.then(async () => {
      const told = await this.room.ask("consume", { transportId: this.receiving.id, producerId });
      const consumer = await this.receiving.consume(told);
      this.consumers[consumer.kind] = consumer;
      const element = document.getElementById(consumer.kind);
      element.srcObject = new MediaStream([consumer.track]);
      const asked = performance.now();
      if (consumer.kind === "video") {
        element.requestVideoFrameCallback(() => { this.firstFrameMs = performance.now() - asked; });
      }
      await this.room.ask("resumeConsumer", { consumerId: consumer.id });
    }).catch((error) => console.error(`consume: ${error.stack}`));
  }

  // A browser that does not measure the sound it sends lets us do it, at both ends alike.
  async listen() {
    if (find(await this.audio.getStats(), "media-source")?.totalAudioEnergy !== undefined) return;
    this.loudness = { sent: new Loudness(this.sound), heard: new Loudness(this.consumers.audio.track) };
  }

  // Ends when the last picture under way has been decoded.
  async pauseSending() {
    await this.video.replaceTrack({ track: null });
    await this.settled();
  }

  async resumeSending() {
    await this.video.replaceTrack({ track: this.picture });
  }

  // Waits until no picture has come for a while.
  async settled() {
    let last = -1;
    let since = 0;
    await until("pictures to end", async () => {
      const now = await this.decoded();
      if (now !== last) [last, since] = [now, performance.now()];
      return performance.now() - since > QUIET_MS;
    });
  }

  // Pauses the consumer of the picture and resumes it: how long until a picture is shown.
  async resumeAgain() {
    const { id: consumerId } = this.consumers.video;
    await this.room.ask("pauseConsumer", { consumerId });
    await this.settled();
    const shown = new Promise((resolve) => {
      document.getElementById("video").requestVideoFrameCallback(() => resolve(performance.now()));
    });
    const asked = performance.now();
    await this.room.ask("resumeConsumer", { consumerId });
    return (await shown) - asked;
  }

  async restartIce() {
    for (const transport of [this.sending, this.receiving]) {
      const before = await selectedPair(transport);
      const iceParameters = await this.room.ask("restartIce", { transportId: transport.id });
      await transport.restartIce({ iceParameters });
      await until("the pair of the restarted ICE", async () => {
        const pair = await selectedPair(transport);
        return pair !== null && pair.id !== before.id;
      });
      this.iceRestarts += 1;
    }
  }

  async decoded() {
    return statistic(await this.consumers.video?.getStats(), "inbound-rtp", "framesDecoded");
  }

  async count() {
    const [sentVideo, sentAudio, heardVideo, heardAudio] = await Promise.all(
      [this.video, this.audio, this.consumers.video, this.consumers.audio].map((one) => one.getStats()),
    );
    const { mimeType } = find(sentVideo, "codec") ?? {};
    return {
      framesEncoded: statistic(sentVideo, "outbound-rtp", "framesEncoded"),
      receivedNacks: statistic(sentVideo, "outbound-rtp", "nackCount"),
      framesDecoded: statistic(heardVideo, "inbound-rtp", "framesDecoded"),
      freezeCount: statistic(heardVideo, "inbound-rtp", "freezeCount"),
      sentNacks: statistic(heardVideo, "inbound-rtp", "nackCount"),
      sentEnergy: this.loudness?.sent.energy ?? statistic(sentAudio, "media-source", "totalAudioEnergy"),
      heardEnergy: this.loudness?.heard.energy ?? statistic(heardAudio, "inbound-rtp", "totalAudioEnergy"),
      videoCodec: mimeType,
    };
  }

  // How each transport came to the worker, by the browser and by the worker.
  async transports() {
    return Promise.all([this.sending, this.receiving].map(async (transport) => {
      const stats = await transport.getStats();
      const { tlsVersion = null, dtlsCipher = null, srtpCipher = null } = find(stats, "transport") ?? {};
      const protocols = [...stats.values()].filter(({ type, packetsSent, bytesSent }) => (
        type === "candidate-pair" && (packetsSent > 0 || bytesSent > 0)
      )).map(({ localCandidateId }) => stats.get(localCandidateId)?.protocol ?? "unknown");
      const worker = await this.room.ask("transportStats", { transportId: transport.id });
      return { tlsVersion, dtlsCipher, srtpCipher, protocols, worker };
    }));
  }
}

// Longer than any pause between two pictures, a repair included.
const QUIET_MS = 500;

async function selectedPair(transport) {
  const stats = await transport.getStats();
  const selected = find(stats, "transport")?.selectedCandidatePairId;
  if (selected) return stats.get(selected) ?? null;
  return [...stats.values()].find(({ type, selected: is }) => type === "candidate-pair" && is) ?? null;
}

function find(stats, type) {
  return [...(stats?.values() ?? [])].find((one) => one.type === type);
}

function statistic(stats, type, name) {
  return find(stats, type)?.[name] ?? 0;
}

async function until(what, holds) {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const PATIENCE_MS = 60_000;
const POLL_MS = 40;
