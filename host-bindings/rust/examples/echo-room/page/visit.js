// One visit to a room of one worker: transports, what is sent, what is received. After another worker took over, or
// another connection was made, there is another visit.
//
// Dispatches `consumer` { peerId, consumer, paused }, `closed` { consumerId }, `paused` { consumerId, paused }, `stuck`
// { candidates, hopeless } when media does not get through, and `through` when it does.

import { Device, detectDevice } from "./vendor/mediasoup-client.js";

export class Visit extends EventTarget {
  producers = {};
  closed = false;
  #signalling;
  #media;
  #sending = null;
  #receiving = null;
  #ready = false;
  // Producers that were announced: some are, twice.
  #known = new Set();
  #announced = [];
  #order = Promise.resolve();
  #candidates = [];

  constructor(signalling, media) {
    super();
    this.#signalling = signalling;
    this.#media = media;
  }

  // Joins, and sends the tracks; those whose kind is in `muted` paused.
  async begin(muted) {
    // A browser that hides its name is some Chromium most often.
    const handlerName = detectDevice() ?? (globalThis.RTCRtpTransceiver && "Chrome111");
    const device = await Device.factory({ handlerName });
    await device.load({ routerRtpCapabilities: await this.#ask("routerRtpCapabilities") });
    this.#sending = device.createSendTransport(await this.#createTransport());
    this.#receiving = device.createRecvTransport(await this.#createTransport());
    if (this.closed) return this.close();
    for (const transport of [this.#sending, this.#receiving]) this.#follow(transport);
    this.#sending.on("produce", ({ kind, rtpParameters }, done, failed) => {
      this.#ask("produce", { transportId: this.#sending.id, kind, rtpParameters }).then(done, failed);
    });
    await this.#ask("join", { rtpCapabilities: device.recvRtpCapabilities });
    this.#ready = true;
    for (const announced of this.#announced.splice(0)) this.#consume(announced);
    for (const kind of ["audio", "video"]) await this.#send(device, kind, muted.has(kind));
  }

  onEvent({ event, data }) {
    if (event === "newProducer" && !this.#known.has(data.producerId)) {
      this.#known.add(data.producerId);
      if (this.#ready) this.#consume(data);
      else this.#announced.push(data);
    } else if (event === "consumerClosed") {
      this.#tell("closed", data);
    } else if (event === "consumerPaused" || event === "consumerResumed") {
      this.#tell("paused", { ...data, paused: event === "consumerPaused" });
    }
  }

  async setMuted(kind, muted) {
    const producer = this.producers[kind];
    if (!producer || producer.closed) return;
    if (muted) producer.pause();
    else producer.resume();
    await this.#ask(muted ? "pauseProducer" : "resumeProducer", { producerId: producer.id });
  }

  async replaceTrack(kind, track) {
    await this.producers[kind]?.replaceTrack({ track });
  }

  close() {
    this.closed = true;
    this.#sending?.close();
    this.#receiving?.close();
  }

  // A later visit's answers are not this one's.
  async #ask(method, data) {
    const ok = await this.#signalling.ask(method, data);
    if (this.closed) throw new Error("this visit is over");
    return ok;
  }

  async #createTransport() {
    const told = await this.#ask("createTransport", {});
    this.#candidates = told.iceCandidates.map(({ protocol, address, port }) => `${address}:${port} (${protocol})`);
    return told;
  }

  async #send(device, kind, muted) {
    const producer = await this.#sending.produce({
      track: this.#media.tracks[kind],
      stopTracks: false,
      ...(kind === "video" ? {
        encodings: [{ maxBitrate: VIDEO_BITRATE_MAX }],
        codecOptions: { videoGoogleStartBitrate: VIDEO_BITRATE_START_KBPS },
      } : {}),
    });
    this.producers[kind] = producer;
    // It may have been replaced while we were asking.
    if (producer.track !== this.#media.tracks[kind]) await producer.replaceTrack({ track: this.#media.tracks[kind] });
    if (muted) await this.setMuted(kind, true);
  }

  #consume({ peerId, producerId }) {
    this.#order = this.#order.then(async () => {
      if (this.closed) return;
      const { producerPaused, ...told } = await this.#ask("consume", { transportId: this.#receiving.id, producerId });
      const consumer = await this.#receiving.consume(told);
      this.#tell("consumer", { peerId, consumer, paused: producerPaused });
      await this.#ask("resumeConsumer", { consumerId: consumer.id });
    }).catch((error) => {
      // Whoever sent it may be gone by now.
      if (!this.closed) console.warn(`a track of ${peerId} cannot be received: ${error.message}`);
    });
  }

  #follow(transport) {
    let timer = null;
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      this.#ask("connectTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    transport.on("connectionstatechange", (state) => {
      clearTimeout(timer);
      if (state === "connected") this.#tell("through");
      else if (state === "connecting") timer = setTimeout(() => this.#tellStuck(false), CONNECTING_MAX_MS);
      else if (state === "disconnected") timer = setTimeout(() => this.#mend(transport), DISCONNECTED_MAX_MS);
      else if (state === "failed") this.#mend(transport);
    });
  }

  // New credentials make the browser look for a way again, from whatever network it is in now.
  async #mend(transport) {
    if (this.closed || transport.closed) return;
    try {
      const iceParameters = await this.#ask("restartIce", { transportId: transport.id });
      await transport.restartIce({ iceParameters });
    } catch {
      return; // The signalling is gone too, and begins anew by itself.
    }
    setTimeout(() => {
      if (this.closed || transport.closed || transport.connectionState === "connected") return;
      this.#tellStuck(true);
    }, MENDING_MAX_MS);
  }

  #tellStuck(hopeless) {
    this.#tell("stuck", { candidates: this.#candidates, hopeless });
  }

  #tell(type, detail) {
    if (!this.closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const VIDEO_BITRATE_MAX = 1_500_000;
const VIDEO_BITRATE_START_KBPS = 700;
const CONNECTING_MAX_MS = 5_000;
const DISCONNECTED_MAX_MS = 2_000;
const MENDING_MAX_MS = 6_000;
