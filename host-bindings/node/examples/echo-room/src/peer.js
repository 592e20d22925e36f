/** One visitor: their transports, what they send, what they are sent. Gone with their WebSocket. */

import { listenInfo } from './stage.js';

/** @import { types } from 'tidegate' */
/** @import { Hall } from './hall.js' */
/** @import { Room, Tell } from './room.js' */
/** @import { Requests } from './signalling.js' */

/** A page is refused something; the sentence is for it. */
export class Refused extends Error {
  name = 'Refused';
}

/** A visitor of a room. */
export class Peer {
  /** @type {string} */
  #id;
  /** @type {Hall} */
  #hall;
  /** @type {Room} */
  #room;
  /** @type {Tell} */
  #tell;
  /** @type {types.RtpCapabilities | undefined} */
  #rtpCapabilities;
  /** @type {Map<string, types.WebRtcTransport>} */
  #transports = new Map();
  /** @type {Map<string, types.Producer>} */
  #producers = new Map();
  /** @type {Map<string, types.Consumer>} */
  #consumers = new Map();
  #left = false;

  /**
   * Enters a room; what happens there is told.
   *
   * @param {Hall} hall
   * @param {Room} room
   * @param {Tell} tell
   * @throws {import('./limits.js').Full}
   */
  constructor(hall, room, tell) {
    this.#id = room.enter(tell);
    this.#hall = hall;
    this.#room = room;
    this.#tell = tell;
    tell('welcome', { peerId: this.#id });
  }

  /** Closes all that the visitor had. */
  leave() {
    this.#left = true;
    for (const transport of this.#transports.values()) transport.close();
    this.#room.leave(this.#id);
  }

  /**
   * Does what the page asks.
   *
   * @template {keyof Requests} Method
   * @param {Method} method
   * @param {Requests[Method]} data
   * @returns {Promise<unknown>} What it is answered.
   * @throws {Error} Its sentence is for the page; nothing changed.
   */
  async onRequest(method, data) {
    /** @type {(data: Requests[Method]) => unknown} */
    const act = this.#acts[method];
    return (await act(data)) ?? null;
  }

  /** @type {{ [Method in keyof Requests]: (data: Requests[Method]) => unknown }} */
  #acts = {
    routerRtpCapabilities: () => this.#room.router.rtpCapabilities,
    join: (data) => this.#join(data),
    createTransport: (data) => this.#createTransport(data),
    connectTransport: ({ transportId, dtlsParameters }) =>
      this.#transport(transportId).connect({ dtlsParameters }),
    restartIce: ({ transportId }) => this.#transport(transportId).restartIce(),
    produce: (data) => this.#produce(data),
    closeProducer: ({ producerId }) => this.#closeProducer(producerId),
    pauseProducer: ({ producerId }) => this.#producer(producerId).pause(),
    resumeProducer: ({ producerId }) => this.#producer(producerId).resume(),
    consume: (data) => this.#consume(data),
    resumeConsumer: ({ consumerId }) => this.#consumer(consumerId).resume(),
    pauseConsumer: ({ consumerId }) => this.#consumer(consumerId).pause(),
    transportStats: ({ transportId }) => this.#transport(transportId).getStats(),
    consumerStats: ({ consumerId }) => this.#consumer(consumerId).getStats(),
    watchFigures: () => {
      throw new Refused('this is no request to a room');
    },
  };

  /** @param {Requests['join']} data */
  #join({ rtpCapabilities }) {
    if (this.#rtpCapabilities) throw new Refused('you have joined already');
    this.#rtpCapabilities = rtpCapabilities;
    for (const data of this.#room.announced()) this.#tell('newProducer', data);
  }

  /** @param {Requests['createTransport']} data */
  async #createTransport({ forceTcp = false, ownPorts = false }) {
    if (this.#transports.size >= TRANSPORTS_MAX) throw tooMany(TRANSPORTS_MAX, 'transports');
    const protocols = { enableUdp: !forceTcp, enableTcp: true };
    const { media } = this.#hall;
    const listenInfos = media.ips.flatMap((ip) => [
      listenInfo(media, 'udp', ip),
      listenInfo(media, 'tcp', ip),
    ]);
    const transport = await this.#room.router.createWebRtcTransport(
      ownPorts ? { ...protocols, listenInfos } : { ...protocols, webRtcServer: this.#room.stage.server },
    );
    this.#transports.set(transport.id, transport);
    const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
    return { id, iceParameters, iceCandidates, dtlsParameters };
  }

  /** @param {Requests['produce']} data */
  async #produce({ transportId, kind, rtpParameters }) {
    if (this.#producers.size >= PRODUCERS_MAX) throw tooMany(PRODUCERS_MAX, 'tracks');
    const producer = await this.#transport(transportId).produce({ kind, rtpParameters });
    try {
      await this.#room.addProducer(this.#id, producer);
    } catch (error) {
      producer.close();
      throw error;
    }
    this.#producers.set(producer.id, producer);
    return { id: producer.id };
  }

  /** @param {string} producerId */
  #closeProducer(producerId) {
    const producer = this.#producer(producerId);
    this.#producers.delete(producerId);
    this.#room.removeProducer(producerId);
    producer.close();
  }

  /** @param {Requests['consume']} data */
  async #consume({ transportId, producerId }) {
    const rtpCapabilities = this.#rtpCapabilities;
    if (!rtpCapabilities) throw new Refused('join first: say what you can receive');
    if (this.#consumers.size >= CONSUMERS_MAX) throw tooMany(CONSUMERS_MAX, 'consumers');
    if (!this.#room.has(producerId)) throw unknown('track');
    // Paused until the page can take packets: the first is a key frame and must not be lost.
    const consumer = await this.#transport(transportId).consume({
      producerId,
      rtpCapabilities,
      paused: true,
    });
    this.#watch(consumer);
    const { id, kind, rtpParameters, producerPaused } = consumer;
    return { id, producerId, kind, rtpParameters, producerPaused };
  }

  /**
   * Tells the page what its producer does to a consumer.
   *
   * @param {types.Consumer} consumer
   */
  #watch(consumer) {
    const consumerId = consumer.id;
    this.#consumers.set(consumerId, consumer);
    const closed = () => {
      this.#consumers.delete(consumerId);
      // A dead worker is told by a word of its own.
      if (!this.#left && !this.#room.stage.worker.closed) this.#tell('consumerClosed', { consumerId });
    };
    consumer.on('producerpause', () => this.#tell('consumerPaused', { consumerId }));
    consumer.on('producerresume', () => this.#tell('consumerResumed', { consumerId }));
    consumer.on('producerclose', closed);
    consumer.on('transportclose', closed);
  }

  /** @param {string} id */
  #transport(id) {
    return this.#transports.get(id) ?? raise(unknown('transport'));
  }

  /** @param {string} id */
  #producer(id) {
    return this.#producers.get(id) ?? raise(unknown('track'));
  }

  /** @param {string} id */
  #consumer(id) {
    return this.#consumers.get(id) ?? raise(unknown('consumer'));
  }
}

/** @param {string} thing */
const unknown = (thing) => new Refused(`no ${thing} of yours has this id; it may be closed`);

/**
 * @param {number} most
 * @param {string} things
 */
const tooMany = (most, things) =>
  new Refused(`you have ${most} ${things} already, which is the most; close some`);

/**
 * @param {Error} error
 * @returns {never}
 */
function raise(error) {
  throw error;
}

// One to send, one to receive, and some while they are exchanged.
const TRANSPORTS_MAX = 8;
// Camera, microphone, screen.
const PRODUCERS_MAX = 8;
// Everything that a full room sends, twice.
const CONSUMERS_MAX = 256;
