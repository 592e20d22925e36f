/**
 * The worker, the one that follows it when it dies, and the rooms.
 *
 * Knows who is where. Does not know JSON or sockets. Invariant: no room of a dead worker is entered.
 */

import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

import { Meter } from './figures.js';
import { Full, LIMITS } from './limits.js';
import { Peer } from './peer.js';
import { Room } from './room.js';
import { BackOff, ended, messageOf, openStage, placesTaken } from './stage.js';

/** @import { types } from 'tidegate' */
/** @import { Figures } from './figures.js' */
/** @import { Limits } from './limits.js' */
/** @import { Tell } from './room.js' */
/** @import { Death, MediaOptions, Place, Stage } from './stage.js' */

/**
 * Where things stand: rooms can be made; everything is gone and another worker will follow; this program ends.
 *
 * @typedef {{ is: 'running', stage: Stage } | { is: 'down', death: Death } | { is: 'closed' }} Status
 */

/**
 * The worker, and the rooms by name. Emits `status` whenever that changes, and `figures` once a second while anybody
 * listens for them.
 *
 * @extends {EventEmitter<{ status: [Status], figures: [Figures] }>}
 */
export class Hall extends EventEmitter {
  /** @type {MediaOptions} */
  media;
  /** @type {Readonly<Limits>} */
  limits;
  /** @type {Status} */
  #status;
  /** The last worker that started; it may be dead. @type {Stage} */
  #stage;
  /** @type {Map<string, Promise<Room>>} */
  #rooms = new Map();
  /** Those that are open. @type {Set<Room>} */
  #open = new Set();
  #closing = new AbortController();
  /** @type {Promise<void>} */
  #keeping;
  #figures;

  /**
   * Starts a worker and opens its ports.
   *
   * @param {MediaOptions} media
   * @param {Readonly<Limits>} [limits]
   * @throws {Error} Its sentence says what to do.
   */
  static async open(media, limits = LIMITS) {
    const stage = await openStage(1, media);
    return new Hall(media, limits, stage, await placesTaken(stage, media));
  }

  /**
   * @param {MediaOptions} media
   * @param {Readonly<Limits>} limits
   * @param {Stage} stage
   * @param {Place[]} places
   */
  constructor(media, limits, stage, places) {
    super();
    // One listener a visitor.
    this.setMaxListeners(0);
    this.media = media;
    this.limits = limits;
    this.#stage = stage;
    this.#status = { is: 'running', stage };
    this.#keeping = this.#keepAWorker(places);
    this.#figures = this.#keepFigures();
  }

  /** @returns {Status} */
  get status() {
    return this.#status;
  }

  /** The last worker that started. */
  get worker() {
    return this.#stage.worker;
  }

  /**
   * Lets somebody into a room of this worker, which is made if there is none of that name; what happens there is told.
   *
   * @param {Stage} stage
   * @param {string} name
   * @param {Tell} tell
   * @throws {Full | Error}
   */
  async enter(stage, name, tell) {
    for (;;) {
      const room = await this.#room(stage, name);
      // Its last visitor may have left while we waited.
      if (!room.closed) return new Peer(this, room, tell);
    }
  }

  /**
   * @param {Stage} stage
   * @param {string} name
   */
  #room(stage, name) {
    if (this.#stage !== stage || stage.worker.closed) {
      return Promise.reject(new Error('the worker of this room is gone'));
    }
    const there = this.#rooms.get(name);
    if (there) return there;
    const most = this.limits.rooms;
    if (this.#rooms.size >= most) {
      return Promise.reject(
        new Full(`there are ${most} rooms already, which is the most; go to one of them, or come back later`),
      );
    }
    const room = Room.open(stage, this.limits.visitors);
    this.#rooms.set(name, room);
    const forget = () => {
      if (this.#rooms.get(name) === room) this.#rooms.delete(name);
    };
    const keep = (/** @type {Room} */ made) => {
      if (this.#stage === stage) this.#open.add(made);
      made.once('close', () => {
        this.#open.delete(made);
        forget();
      });
    };
    room.then(keep, forget);
    return room;
  }

  /** Rooms, and visitors in all of them. */
  attendance() {
    let visitors = 0;
    for (const room of this.#open) visitors += room.visitors;
    return { rooms: this.#open.size, visitors };
  }

  /** Says goodbye to everybody and ends the worker; done when its process is gone. */
  async close() {
    if (this.#status.is === 'closed') return this.#keeping;
    this.#turnTo({ is: 'closed' });
    this.#closing.abort();
    clearInterval(this.#figures);
    await ended(this.#stage.worker);
    return this.#keeping;
  }

  get #isClosed() {
    return this.#closing.signal.aborted;
  }

  /**
   * Changes where things stand, unless this hall was closed.
   *
   * @param {Status} status
   */
  #turnTo(status) {
    if (this.#isClosed) return;
    this.#status = status;
    this.emit('status', status);
  }

  /**
   * Waits for the worker's death, time and again, and starts the next one. Ends with the hall.
   *
   * @param {Place[]} places
   */
  async #keepAWorker(places) {
    const backOff = new BackOff();
    for (;;) {
      const born = performance.now();
      let reason = await endOf(this.#stage.worker);
      let livedMs = performance.now() - born;
      for (;;) {
        if (this.#isClosed) return;
        const death = backOff.death(livedMs, reason);
        this.#rooms.clear();
        this.#open.clear();
        this.#turnTo({ is: 'down', death });
        await pause(death.restartInMs, undefined, { signal: this.#closing.signal }).catch(() => {});
        if (this.#isClosed) return;
        try {
          const stage = await openStage(this.#stage.number + 1, this.media, places, death);
          if (this.#isClosed) {
            await ended(stage.worker);
            return;
          }
          this.#stage = stage;
          this.#turnTo({ is: 'running', stage });
          break;
        } catch (error) {
          [reason, livedMs] = [messageOf(error), 0];
        }
      }
    }
  }

  /** Measures once a second while anybody wants to know. */
  #keepFigures() {
    const meter = new Meter();
    let looking = false;
    const look = async () => {
      if (looking || this.listenerCount('figures') === 0) return;
      looking = true;
      const worker = this.worker.closed ? undefined : this.worker;
      const figures = await meter.look(worker, this.attendance());
      looking = false;
      if (!this.#isClosed) this.emit('figures', figures);
    };
    return setInterval(() => void look(), FIGURES_EVERY_MS);
  }
}

/**
 * Waits until a worker is gone, and ends one that lives and does not answer; why it ended.
 *
 * @param {types.Worker} worker
 * @returns {Promise<string>}
 */
async function endOf(worker) {
  const gone = new AbortController();
  /** @type {string | undefined} */
  let reason;
  const watch = async () => {
    for (;;) {
      await pause(LOOK_EVERY_MS, undefined, { signal: gone.signal });
      try {
        await worker.getResourceUsage();
      } catch (error) {
        // What a worker that ended says of it is told by `died`.
        if (!worker.closed) {
          reason = messageOf(error);
          worker.close();
        }
        return;
      }
    }
  };
  worker.once('died', (error) => {
    reason ??= error.message;
  });
  watch().catch(() => {});
  if (!worker.subprocessClosed) await once(worker, 'subprocessclose');
  gone.abort();
  return reason ?? 'the worker was closed';
}

// A worker is asked so often whether it still answers; it has the ten seconds of any request to do so.
const LOOK_EVERY_MS = 5_000;
const FIGURES_EVERY_MS = 1_000;
