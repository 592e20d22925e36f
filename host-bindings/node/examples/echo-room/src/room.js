/** A room: a router, who is in it, and what they send. Closed when the last one leaves. */

import { EventEmitter } from 'node:events';

import { Full } from './limits.js';

/** @import { types } from 'tidegate' */
/** @import { Stage } from './stage.js' */

/**
 * Tells a visitor what happened.
 *
 * @callback Tell
 * @param {string} event
 * @param {object} data
 * @returns {void}
 */

/**
 * What browsers can send, best supported first. H264 is constrained baseline, level 3.1: what every browser has.
 *
 * @type {types.RouterRtpCodecCapability[]}
 */
export const MEDIA_CODECS = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000 },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'level-asymmetry-allowed': 1, 'profile-level-id': '42e01f' },
  },
  { kind: 'video', mimeType: 'video/AV1', clockRate: 90_000 },
];

/**
 * Who is where, and who is heard. Emits `close` once.
 *
 * @extends {EventEmitter<{ close: [] }>}
 */
export class Room extends EventEmitter {
  /** @type {Stage} */
  stage;
  /** @type {types.Router} */
  router;
  closed = false;
  #speakers;
  #visitorsMax;
  #lastNumber = 0;
  /** By id. @type {Map<string, Tell>} */
  #peers = new Map();
  /** Tracks that somebody sends, by id. @type {Map<string, { peerId: string, producer: types.Producer }>} */
  #producers = new Map();

  /**
   * @param {Stage} stage
   * @param {number} visitorsMax
   */
  static async open(stage, visitorsMax) {
    const router = await stage.worker.createRouter({ mediaCodecs: MEDIA_CODECS });
    const speakers = await router.createActiveSpeakerObserver();
    return new Room(stage, visitorsMax, router, speakers);
  }

  /**
   * @param {Stage} stage
   * @param {number} visitorsMax
   * @param {types.Router} router
   * @param {types.ActiveSpeakerObserver} speakers
   */
  constructor(stage, visitorsMax, router, speakers) {
    super();
    this.stage = stage;
    this.router = router;
    this.#visitorsMax = visitorsMax;
    this.#speakers = speakers;
    speakers.on('dominantspeaker', ({ producer }) => {
      const sent = this.#producers.get(producer.id);
      if (sent) this.#tellAll('dominantSpeaker', { peerId: sent.peerId });
    });
  }

  /** How many are in it. */
  get visitors() {
    return this.#peers.size;
  }

  /**
   * Lets somebody in, who is told what happens from now on; their name.
   *
   * @param {Tell} tell
   * @throws {Full}
   */
  enter(tell) {
    const most = this.#visitorsMax;
    if (this.#peers.size >= most) {
      throw new Full(
        `this room is full: ${most} are in it; choose another room, or wait until somebody leaves`,
      );
    }
    this.#lastNumber += 1;
    const peerId = `peer-${this.#lastNumber}`;
    this.#peers.set(peerId, tell);
    return peerId;
  }

  /**
   * Somebody goes, and what they sent with them.
   *
   * @param {string} peerId
   */
  leave(peerId) {
    this.#peers.delete(peerId);
    for (const [id, sent] of this.#producers) if (sent.peerId === peerId) this.#producers.delete(id);
    // With the worker all go at once, and each is told that.
    if (!this.stage.worker.closed) this.#tellAll('peerLeft', { peerId });
    if (this.#peers.size > 0 || this.closed) return;
    this.closed = true;
    this.router.close();
    this.emit('close');
  }

  /**
   * Somebody sends a track: everybody is told, they themselves too.
   *
   * @param {string} peerId
   * @param {types.Producer} producer
   */
  async addProducer(peerId, producer) {
    if (producer.kind === 'audio') await this.#speakers.addProducer({ producerId: producer.id });
    this.#producers.set(producer.id, { peerId, producer });
    this.#tellAll('newProducer', announced(peerId, producer));
  }

  /** @param {string} producerId */
  removeProducer(producerId) {
    this.#producers.delete(producerId);
  }

  /** @param {string} producerId */
  has(producerId) {
    return this.#producers.has(producerId);
  }

  /** All tracks that are sent, as news for who comes later. */
  announced() {
    return [...this.#producers.values()].map(({ peerId, producer }) => announced(peerId, producer));
  }

  /**
   * @param {string} event
   * @param {object} data
   */
  #tellAll(event, data) {
    for (const tell of this.#peers.values()) tell(event, data);
  }
}

/**
 * @param {string} peerId
 * @param {types.Producer} producer
 */
const announced = (peerId, { id, kind }) => ({ peerId, producerId: id, kind });
