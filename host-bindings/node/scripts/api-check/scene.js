// A room in which everything happens once: every entity that this worker has, packets that make them speak, and the
// closing of all. Records which events every entity emitted.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { bindingRequest, opusFrame, receiverReport, RtpSource, vp8KeyFrame } from './packets.js';

const LISTEN = { protocol: 'udp', ip: '127.0.0.1' };
const ORIENTATION = 'urn:3gpp:video-orientation';
const AUDIO_LEVEL = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
/** Between two packets: what a packet of sound lasts. */
const STEP_MS = 20;
/** As long as anything may take to happen on a busy machine. */
const PATIENCE_MS = 60_000;

/** Which events were emitted, by entity: `producer` and `producer.observer` each have a map of names to arguments. */
export class Recorder {
  #seen = new Map();
  #facts;

  /** `facts` say which events an entity has: `facts.producer.events` and `.observerEvents`. */
  constructor(facts) {
    this.#facts = facts;
  }

  /** Records these events of `emitter` from now on. */
  watch(name, emitter, events) {
    const seen = this.#seen.get(name) ?? new Map();
    this.#seen.set(name, seen);
    for (const event of events) {
      emitter.on(event, (...rest) => {
        seen.set(event, rest);
      });
    }
  }

  /** An entity and its observer. `kind` is the facts' name for what `name` is. */
  watchEntity(name, entity, kind = name) {
    const { events = '', observerEvents = '' } = this.#facts[kind];
    this.watch(name, entity, events.split(' '));
    this.watch(`${name}.observer`, entity.observer, observerEvents.split(' '));
    return entity;
  }

  /** The arguments of the last such event, undefined where there was none. */
  last(name, event) {
    return this.#seen.get(name)?.get(event);
  }
}

/** Does `step` again and again until `done` says so. */
async function until(what, done, step = () => {}) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!done()) {
    if (Date.now() > deadline) {
      throw new Error(`it did not happen within ${PATIENCE_MS} ms: ${what}`);
    }
    await step();
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

async function socket() {
  const made = dgram.createSocket('udp4');
  made.bind(0, '127.0.0.1');
  await once(made, 'listening');
  return made;
}

/** Builds the room. What it holds is for looking at; `play` makes it speak, `close` ends it. */
export class Scene {
  objects = {};
  sockets = [];

  constructor(tidegate, facts) {
    this.tidegate = tidegate;
    this.recorder = new Recorder(facts);
  }

  async open() {
    const { recorder, objects, tidegate } = this;
    recorder.watch('module.observer', tidegate.observer, ['newworker']);
    objects.worker = recorder.watchEntity('worker', await tidegate.createWorker());
    await this.#entities();
    await this.#media();
  }

  async #entities() {
    const { recorder, objects } = this;
    const { worker } = objects;
    objects.webRtcServer = recorder.watchEntity(
      'webRtcServer',
      await worker.createWebRtcServer({ listenInfos: [LISTEN] }),
    );
    objects.router = recorder.watchEntity(
      'router',
      await worker.createRouter({
        mediaCodecs: [
          { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
          { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
        ],
      }),
    );
    const { router } = objects;
    objects.webRtcTransport = recorder.watchEntity(
      'webRtcTransport',
      await router.createWebRtcTransport({ listenInfos: [LISTEN] }),
    );
    objects.servedTransport = recorder.watchEntity(
      'webRtcTransport',
      await router.createWebRtcTransport({ webRtcServer: objects.webRtcServer }),
    );
    objects.plainTransport = recorder.watchEntity(
      'plainTransport',
      await router.createPlainTransport({ listenInfo: LISTEN }),
    );
    objects.comediaTransport = recorder.watchEntity(
      'plainTransport',
      await router.createPlainTransport({ listenInfo: LISTEN, rtcpMux: false, comedia: true }),
    );
    objects.audioLevelObserver = recorder.watchEntity(
      'audioLevelObserver',
      await router.createAudioLevelObserver({ interval: 500 }),
    );
    objects.activeSpeakerObserver = recorder.watchEntity(
      'activeSpeakerObserver',
      await router.createActiveSpeakerObserver({ interval: 100 }),
    );
  }

  async #media() {
    const { recorder, objects } = this;
    const sink = await socket();
    this.sockets.push(sink);
    await objects.plainTransport.connect({ ip: '127.0.0.1', port: sink.address().port });
    objects.producer = recorder.watchEntity(
      'producer',
      await objects.comediaTransport.produce({
        kind: 'video',
        rtpParameters: {
          codecs: [
            {
              mimeType: 'video/VP8',
              payloadType: 96,
              clockRate: 90_000,
              rtcpFeedback: [{ type: 'nack', parameter: 'pli' }],
            },
          ],
          headerExtensions: [{ uri: ORIENTATION, id: 3 }],
          encodings: [{ ssrc: 1111 }],
        },
      }),
    );
    objects.speaker = recorder.watchEntity(
      'speaker',
      await objects.comediaTransport.produce({
        kind: 'audio',
        rtpParameters: {
          codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
          headerExtensions: [{ uri: AUDIO_LEVEL, id: 1 }],
          encodings: [{ ssrc: 2222 }],
        },
      }),
      'producer',
    );
    const { rtpCapabilities } = objects.router;
    const consume = async (transport, producer, name) =>
      recorder.watchEntity(
        name,
        await transport.consume({ producerId: producer.id, rtpCapabilities }),
        'consumer',
      );
    objects.consumer = await consume(objects.plainTransport, objects.producer, 'consumer');
    objects.listener = await consume(objects.plainTransport, objects.speaker, 'listener');
    objects.viewer = await consume(objects.webRtcTransport, objects.producer, 'consumer');
    // On a WebRTC transport too, for its observer.
    objects.webRtcProducer = await objects.webRtcTransport.produce({
      kind: 'audio',
      rtpParameters: {
        mid: '0',
        codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
        encodings: [{ ssrc: 3333 }],
      },
    });
  }

  /** Everything that needs packets. */
  async play() {
    await this.#tracing();
    await this.#sending();
    await this.#silence();
    await this.#ice();
    await this.#pausing();
  }

  async #tracing() {
    const { producer, consumer, audioLevelObserver, activeSpeakerObserver, speaker } = this.objects;
    await producer.enableTraceEvent(['rtp', 'keyframe']);
    await consumer.enableTraceEvent(['rtp', 'keyframe']);
    for (const observer of [audioLevelObserver, activeSpeakerObserver]) {
      await observer.addProducer({ producerId: speaker.id });
      await observer.pause();
      await observer.resume();
    }
  }

  async #sending() {
    const { recorder } = this;
    const { comediaTransport } = this.objects;
    const peer = await socket();
    this.sockets.push(peer);
    const video = new RtpSource({ ssrc: 1111, payloadType: 96, step: 3000 });
    const audio = new RtpSource({ ssrc: 2222, payloadType: 100, step: 960 });
    const send = (packet, port) => peer.send(packet, port, '127.0.0.1');
    let count = 0;
    await until(
      'packets of a plain transport make all of these events',
      () =>
        ['tuple', 'rtcptuple'].every((event) => recorder.last('plainTransport', event)) &&
        ['score', 'videoorientationchange', 'trace'].every((event) => recorder.last('producer', event)) &&
        ['score', 'trace'].every((event) => recorder.last('consumer', event)) &&
        recorder.last('audioLevelObserver', 'volumes') &&
        recorder.last('activeSpeakerObserver', 'dominantspeaker'),
      () => {
        count += 1;
        const { localPort } = comediaTransport.tuple;
        send(video.next(vp8KeyFrame, [[3, Buffer.from([count % 4])]]), localPort);
        // Half a second of room noise, then as much of voice (RFC 6464 3): what is loud all the time is no speech.
        const level = count % 50 < 25 ? 90 : 0x80 | 5;
        send(audio.next(opusFrame, [[1, Buffer.from([level])]]), localPort);
        send(receiverReport(1), this.rtcpPort);
      },
    );
  }

  /** Where RTCP goes without rtcp-mux. */
  get rtcpPort() {
    return this.objects.comediaTransport.rtcpTuple.localPort;
  }

  async #silence() {
    await until('silence after sound', () => this.recorder.last('audioLevelObserver', 'silence'));
  }

  async #ice() {
    const { recorder } = this;
    const { webRtcTransport } = this.objects;
    const peer = await socket();
    this.sockets.push(peer);
    const [candidate] = webRtcTransport.iceCandidates;
    await webRtcTransport.connect({
      dtlsParameters: {
        role: 'server',
        fingerprints: [{ algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') }],
      },
    });
    await until(
      'a binding request connects ICE and begins DTLS',
      () =>
        ['icestatechange', 'iceselectedtuplechange', 'dtlsstatechange'].every((event) =>
          recorder.last('webRtcTransport', event),
        ),
      () => peer.send(bindingRequest(webRtcTransport.iceParameters), candidate.port, candidate.address),
    );
  }

  async #pausing() {
    const { recorder } = this;
    const { producer, consumer } = this.objects;
    await producer.pause();
    await until('a consumer learns of the pause', () => recorder.last('consumer', 'producerpause'));
    await producer.resume();
    await until('a consumer learns of the resumption', () => recorder.last('consumer', 'producerresume'));
    await consumer.pause();
    await consumer.resume();
  }

  /** Closes everything, one level after the other, so that every entity is told by the one above it. */
  async close() {
    const { recorder, objects, tidegate } = this;
    const { router, worker } = objects;
    for (const observer of [objects.audioLevelObserver, objects.activeSpeakerObserver]) {
      await observer.removeProducer({ producerId: objects.speaker.id });
    }
    objects.speaker.close();
    await until('a consumer learns that its producer closed', () =>
      recorder.last('listener', 'producerclose'),
    );
    objects.comediaTransport.close();
    objects.plainTransport.close();
    objects.servedTransport.close();
    recorder.watchEntity(
      'webRtcTransport',
      await router.createWebRtcTransport({ webRtcServer: objects.webRtcServer }),
    );
    objects.webRtcServer.close();
    await until('a transport learns that its server closed', () =>
      recorder.last('webRtcTransport', 'listenserverclose'),
    );
    recorder.watchEntity('webRtcServer', await worker.createWebRtcServer({ listenInfos: [LISTEN] }));
    recorder.watchEntity('plainTransport', await router.createPlainTransport({ listenInfo: LISTEN }));
    router.close();
    recorder.watchEntity('router', await worker.createRouter());
    const closed = once(worker, 'subprocessclose');
    worker.close();
    await closed;
    const dead = recorder.watchEntity('deadWorker', await tidegate.createWorker());
    objects.deadWorker = dead;
    const died = once(dead, 'died');
    const gone = once(dead, 'subprocessclose');
    process.kill(dead.pid, 'SIGKILL');
    await Promise.all([died, gone]);
  }

  /** Whatever happened, nothing stays. */
  end() {
    this.objects.worker?.close();
    this.objects.deadWorker?.close();
    for (const made of this.sockets) {
      made.close();
    }
  }
}
