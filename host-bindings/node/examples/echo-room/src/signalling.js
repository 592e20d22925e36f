/**
 * What a page and this server say to each other: JSON over one WebSocket.
 *
 * A page asks `{"id": 1, "method": "produce", "data": {...}}` and is answered `{"id": 1, "ok": ...}` or
 * `{"id": 1, "error": "what is wrong and what to do"}`, in order. What it did not ask for has no id:
 * `{"event": "newProducer", "data": {...}}`. Knows names and shapes, nothing of what they do.
 */

import { ortc } from 'tidegate';

/** @import { types } from 'tidegate' */

/**
 * What a page may ask: each method, and its data.
 *
 * @typedef {object} Requests
 * @property {{}} routerRtpCapabilities What the room's router can forward. First of all.
 * @property {{ rtpCapabilities: types.RtpCapabilities }} join What this page can receive: from then on it is sent
 *   everything.
 * @property {{ forceTcp?: boolean, ownPorts?: boolean }} createTransport Offer no UDP; on ports of its own, instead of the
 *   worker's one WebRTC server. Both false when absent.
 * @property {{ transportId: string, dtlsParameters: types.DtlsParameters }} connectTransport
 * @property {{ transportId: string }} restartIce
 * @property {{ transportId: string, kind: types.MediaKind, rtpParameters: types.RtpParameters }} produce
 * @property {{ producerId: string }} closeProducer
 * @property {{ producerId: string }} pauseProducer
 * @property {{ producerId: string }} resumeProducer
 * @property {{ transportId: string, producerId: string }} consume Receives a track, paused.
 * @property {{ consumerId: string }} resumeConsumer
 * @property {{ consumerId: string }} pauseConsumer
 * @property {{}} watchFigures Tell me once a second what the worker costs and moves, whatever becomes of workers.
 * @property {{ transportId: string }} transportStats
 * @property {{ consumerId: string }} consumerStats
 */

/** @typedef {keyof Requests} Method */

/** @typedef {{ id: number, method: Method, data: Requests[Method] }} Request */

/** A message is no request. */
export class Misread extends Error {
  name = 'Misread';

  /**
   * @param {string} why
   * @param {number} [id] Of the request, if that could be read.
   */
  constructor(why, id) {
    super(`no request: ${why}`);
    this.id = id;
  }
}

/**
 * @param {string} text
 * @returns {Request}
 * @throws {Misread}
 */
export function read(text) {
  /** @type {unknown} */
  let message;
  try {
    message = JSON.parse(text);
  } catch (error) {
    throw new Misread(error instanceof Error ? error.message : String(error));
  }
  if (!isObject(message)) throw new Misread('it is no object');
  const { id, method, data = {} } = message;
  if (!isId(id)) throw new Misread('`id` is no whole number from 0 to 2^53 - 1');
  if (!isMethod(method)) throw new Misread(`there is no method ${JSON.stringify(method)}`, id);
  if (!isObject(data)) throw new Misread('`data` is no object', id);
  for (const [name, check] of Object.entries(FIELDS[method])) {
    try {
      check(data[name]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Misread(`\`${name}\` of ${method}: ${why}`, id);
    }
  }
  // Checked field by field.
  return { id, method, data: /** @type {Requests[Method]} */ (data) };
}

/** @typedef {(value: unknown) => void} Check Throws what is wrong. */

/** @type {Check} */
const text = (value) => {
  if (typeof value !== 'string') throw new TypeError('it is no text');
};

/** @type {Check} */
const flag = (value) => {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError('it is neither true nor false');
};

/** @type {Check} */
const dictionary = (value) => {
  if (!isObject(value)) throw new TypeError('it is no object');
};

/** @type {Check} */
const kind = (value) => {
  if (value !== 'audio' && value !== 'video') throw new TypeError('it is neither "audio" nor "video"');
};

/** @type {Check} */
const capabilities = (value) => {
  ortc.validateAndNormalizeRtpCapabilities(/** @type {types.RtpCapabilities} */ (value));
};

/** @type {{ [M in Method]: { [Field in keyof Requests[M]]-?: Check } }} */
const FIELDS = {
  routerRtpCapabilities: {},
  join: { rtpCapabilities: capabilities },
  createTransport: { forceTcp: flag, ownPorts: flag },
  connectTransport: { transportId: text, dtlsParameters: dictionary },
  restartIce: { transportId: text },
  produce: { transportId: text, kind, rtpParameters: dictionary },
  closeProducer: { producerId: text },
  pauseProducer: { producerId: text },
  resumeProducer: { producerId: text },
  consume: { transportId: text, producerId: text },
  resumeConsumer: { consumerId: text },
  pauseConsumer: { consumerId: text },
  watchFigures: {},
  transportStats: { transportId: text },
  consumerStats: { consumerId: text },
};

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @param {unknown} value
 * @returns {value is number}
 */
const isId = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/**
 * @param {unknown} value
 * @returns {value is Method}
 */
const isMethod = (value) => typeof value === 'string' && Object.hasOwn(FIELDS, value);
