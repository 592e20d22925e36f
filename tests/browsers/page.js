// A visitor of an echo room who sends a picture and sound, receives both back and counts.
//
// `echo(scene)` is called once by run.js, which documents `scene`; what it returns is judged elsewhere.

import { Device } from "mediasoup-client";
import { Loopback } from "./loopback.js";
import { converse } from "./signalling.js";
import { find, msToPicture, settled, statistic, until } from "./waiting.js";

window.echo = async (scene) => {
  const visit = await enter(scene);
  await until("the first picture of the echo", () => visit.firstPictureMs !== null);
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
  await sent(visit, scene.frames / 2);
  if (scene.restartIce) await visit.restartIce();
  await sent(visit, scene.frames / 2);
  await visit.pauseSending();
  const after = await visit.count();
  const resumed = scene.resumes > 0 ? await visit.resumeOften(scene.resumes, after) : { resumedMs: [], loopbackMs: [] };
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
    firstPictureMs: visit.firstPictureMs,
    ...resumed,
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
  firstPictureMs = null;
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
      const resume = () => this.room.ask("resumeConsumer", { consumerId: consumer.id });
      if (consumer.kind === "audio") await resume();
      else msToPicture(element, resume).then((ms) => { this.firstPictureMs = ms; });
    }).catch((error) => console.error(`consume: ${error.stack}`));
  }

  // What a browser sends that does not measure it is what its own other end would hear.
  async listen() {
    if (find(await this.audio.getStats(), "media-source")?.totalAudioEnergy !== undefined) return;
    this.reference = await Loopback.of(this.sound);
    await until("sound without a worker", async () => (await this.reference.energy()) > 0);
  }

  // Ends when the last picture under way has been decoded.
  async pauseSending() {
    await this.video.replaceTrack({ track: null });
    await settled(() => this.decoded());
  }

  async resumeSending() {
    await this.video.replaceTrack({ track: this.picture });
  }

  // Pauses the consumer of the picture and resumes it, by turns with the same without a worker.
  async resumeOften(times, { framesDecoded, videoCodec }) {
    const { id: consumerId } = this.consumers.video;
    const loopback = await Loopback.of(this.picture.clone(), videoCodec);
    await this.resumeSending();
    await until("pictures to pause", async () => (await this.decoded()) > framesDecoded + SETTLED_FRAMES);
    const [resumedMs, loopbackMs] = [[], []];
    for (let i = 0; i < times; i += 1) {
      await this.room.ask("pauseConsumer", { consumerId });
      await Promise.all([settled(() => this.decoded()), loopback.pause()]);
      loopbackMs.push(await loopback.msToPicture());
      const resume = () => this.room.ask("resumeConsumer", { consumerId });
      resumedMs.push(await msToPicture(document.getElementById("video"), resume));
    }
    return { resumedMs, loopbackMs };
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
      sentEnergy: (await this.reference?.energy()) ?? statistic(sentAudio, "media-source", "totalAudioEnergy"),
      heardEnergy: statistic(heardAudio, "inbound-rtp", "totalAudioEnergy"),
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

async function selectedPair(transport) {
  const stats = await transport.getStats();
  const selected = find(stats, "transport")?.selectedCandidatePairId;
  if (selected) return stats.get(selected) ?? null;
  return [...stats.values()].find(({ type, selected: is }) => type === "candidate-pair" && is) ?? null;
}
