/**
 * One visitor's WebSocket, from its first message to its last, over the lives of several workers.
 *
 * Knows frames, order and patience. Does not know what requests do. Invariant: whoever talks in here is bounded: in message
 * size, in what waits for them, in how long they may be silent.
 */

import { WebSocket } from 'ws';

import { Full } from './limits.js';
import { Misread, read } from './signalling.js';
import { messageOf } from './stage.js';

/** @import { RawData } from 'ws' */
/** @import { Hall, Status } from './hall.js' */
/** @import { Peer } from './peer.js' */
/** @import { Death, Stage } from './stage.js' */

/** A socket of `ws` that says in words why it ends over something that it cannot read. */
export class Socket extends WebSocket {
  /**
   * @param {number} [code]
   * @param {string | Buffer} [reason]
   */
  close(code, reason) {
    // The codes that `ws` itself gives to frames: RFC 6455 7.4.1.
    const why = code === undefined ? undefined : UNREADABLE.get(code);
    if (why === undefined) super.close(code, reason);
    else sayGoodbye(this, CLOSE_POLICY, `the last message: ${why}`);
  }
}

/** A visitor. */
export class Conversation {
  /** @type {Hall} */
  #hall;
  /** @type {string} */
  #room;
  /** @type {WebSocket} */
  #socket;
  /** Of the last worker that they entered. */
  #stage = 0;
  /** In the room; not while there is no worker. @type {Peer | undefined} */
  #peer;
  /** One thing after the other. */
  #order = Promise.resolve();
  #waiting = 0;
  /** What happened while a request was being answered: the answer goes first. @type {string[] | undefined} */
  #news;
  #ended = false;

  /**
   * @param {Hall} hall
   * @param {string} room
   * @param {WebSocket} socket
   */
  constructor(hall, room, socket) {
    this.#hall = hall;
    this.#room = room;
    this.#socket = socket;
    /** @type {(status: Status) => void} */
    const onStatus = (status) => this.#enqueue(() => this.#onStatus(status));
    hall.on('status', onStatus);
    // Answered by every browser; the connection itself notices silence.
    const beat = setInterval(() => socket.ping(), hall.limits.silenceMs / 3);
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    // Whatever is wrong with it, `close` follows.
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#ended = true;
      clearInterval(beat);
      hall.off('status', onStatus);
      hall.off('figures', this.#onFigures);
      this.#leave();
    });
    onStatus(hall.status);
  }

  /** @param {Status} status */
  async #onStatus(status) {
    if (status.is === 'closed') this.#end(CLOSE_AWAY, 'the server is being stopped');
    else if (status.is === 'down') this.#onDeath(status.death);
    else if (status.stage.number !== this.#stage) await this.#enter(status.stage);
  }

  /** @param {Death} death */
  #onDeath({ reason, inARow, restartInMs }) {
    this.#leave();
    // Of what is gone.
    this.#news = [];
    this.#say({ event: 'workerDied', data: { reason, inARow, restartInMs } });
  }

  /** @param {Stage} stage */
  async #enter(stage) {
    try {
      const peer = await this.#hall.enter(stage, this.#room, this.#tell);
      if (this.#ended) peer.leave();
      else [this.#peer, this.#stage] = [peer, stage.number];
    } catch (error) {
      // When it died meanwhile, the next one's status follows.
      if (error instanceof Full) this.#end(CLOSE_FULL, error.message);
      else if (!stage.worker.closed) this.#end(CLOSE_ERROR, messageOf(error));
    }
  }

  /**
   * @param {RawData} data
   * @param {boolean} isBinary
   */
  #onMessage(data, isBinary) {
    this.#waiting += 1;
    if (this.#waiting === WAITING_MAX) this.#socket.pause();
    this.#enqueue(async () => {
      try {
        if (isBinary) this.#say({ error: 'requests are JSON in text messages, not binary ones' });
        else this.#say(await this.#answer(textOf(data)));
      } finally {
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#socket.resume();
      }
    });
  }

  /**
   * @param {string} text
   * @returns {Promise<object>}
   */
  async #answer(text) {
    let id;
    try {
      const request = read(text);
      id = request.id;
      if (request.method === 'watchFigures') {
        this.#hall.off('figures', this.#onFigures).on('figures', this.#onFigures);
        return { id, ok: null };
      }
      if (!this.#peer) {
        return { id, error: 'there is no worker now; begin anew after the next `welcome`' };
      }
      return { id, ok: await this.#peer.onRequest(request.method, request.data) };
    } catch (error) {
      return { id: error instanceof Misread ? error.id : id, error: messageOf(error) };
    }
  }

  /** @param {object} figures */
  #onFigures = (figures) => this.#tell('figures', figures);

  /**
   * @param {string} event
   * @param {object} data
   */
  #tell = (event, data) => {
    const told = { event, data };
    // Who does not read their news misses some: their page is stuck, and reloading it tells all.
    if (!this.#news) this.#say(told);
    else if (this.#news.length < NEWS_MAX) this.#news.push(JSON.stringify(told));
  };

  /** @param {() => void | Promise<void>} act */
  #enqueue(act) {
    this.#order = this.#order.then(async () => {
      if (this.#ended) return;
      this.#news = [];
      try {
        await act();
      } catch (error) {
        this.#end(CLOSE_ERROR, messageOf(error));
      }
      const news = this.#news;
      this.#news = undefined;
      for (const told of news) this.#send(told);
    });
  }

  /** @param {object} told */
  #say(told) {
    this.#send(JSON.stringify(told));
  }

  /** @param {string} text */
  #send(text) {
    if (this.#ended) return;
    if (this.#socket.bufferedAmount > UNREAD_BYTES_MAX) this.#socket.terminate();
    else this.#socket.send(text);
  }

  /**
   * @param {number} code
   * @param {string} why
   */
  #end(code, why) {
    this.#ended = true;
    // What they had goes first: the goodbye may take a while.
    this.#leave();
    sayGoodbye(this.#socket, code, why);
  }

  #leave() {
    this.#peer?.leave();
    this.#peer = undefined;
  }
}

/**
 * A text message, which `ws` hands over as bytes that it found to be UTF-8.
 *
 * @param {RawData} data
 */
function textOf(data) {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}

/**
 * Says why, and waits a moment for the other side to hear it.
 *
 * @param {WebSocket} socket
 * @param {number} code
 * @param {string} why
 */
export function sayGoodbye(socket, code, why) {
  if (socket.readyState !== WebSocket.OPEN) return;
  // The reason of a close frame is short: the whole of it goes before.
  socket.send(JSON.stringify({ error: why }));
  socket.close(code, clipped(why));
  const late = setTimeout(() => socket.terminate(), GOODBYE_MAX_MS);
  socket.once('close', () => clearTimeout(late));
}

/**
 * As much of a reason as fits a close frame.
 *
 * @param {string} reason
 */
export function clipped(reason) {
  const bytes = Buffer.from(reason);
  let end = Math.min(bytes.length, CLOSE_REASON_BYTES_MAX);
  // Not within a character: those bytes begin with the bits 10.
  while (end < bytes.length && (bytes.readUInt8(end) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

/** Close code for a name that no room can have. */
export const CLOSE_BAD_NAME = 4_000;
/** Close code when the room is full, or there are too many rooms. */
export const CLOSE_FULL = 4_001;
/** RFC 6455 7.4.1, and 1013 of the registry there: try again later. */
export const CLOSE_AGAIN = 1_013;
const CLOSE_AWAY = 1_001;
const CLOSE_POLICY = 1_008;
const CLOSE_ERROR = 1_011;
/** RTP parameters of a page with many codecs take some 10 KB. */
export const MESSAGE_BYTES_MAX = 256 << 10;
const UNREADABLE = new Map([
  [1_002, 'it is not framed as RFC 6455 says'],
  [1_007, 'it is not UTF-8'],
  [1_009, `it is longer than ${MESSAGE_BYTES_MAX} bytes`],
]);
// Requests that wait for the one before them; then no more are read.
const WAITING_MAX = 16;
// Events that wait for an answer.
const NEWS_MAX = 1_024;
// Several seconds of everything.
const UNREAD_BYTES_MAX = 1 << 20;
// RFC 6455 5.5: 125 bytes, two of them for the code.
const CLOSE_REASON_BYTES_MAX = 123;
const GOODBYE_MAX_MS = 1_000;
