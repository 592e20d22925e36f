/**
 * One worker's life with its ports open, and how soon the next may follow.
 *
 * Knows how a worker is started and where it listens. Does not know rooms. Invariant: all workers of a hall listen on the
 * ports that the first one was given.
 */

import { createWorker } from 'tidegate';

/** @import { types } from 'tidegate' */

/**
 * How media travels.
 *
 * @typedef {object} MediaOptions
 * @property {string[]} ips Where the worker listens.
 * @property {string} [announcedAddress] What pages are told instead, behind address translation.
 * @property {number} port One UDP and one TCP port for everybody; 0 lets the worker choose.
 * @property {types.WorkerSettings} [worker] How the worker is started.
 */

/**
 * Where a worker listens; at port 0 it chooses one.
 *
 * @typedef {{ protocol: types.TransportProtocol, ip: string, port: number }} Place
 */

/**
 * What became of a worker.
 *
 * @typedef {object} Death
 * @property {string} reason How it ended, or why another one did not start: a sentence.
 * @property {number} inARow How many ended one shortly after the other, this one included.
 * @property {number} restartInMs How long to wait before the next is started.
 */

/**
 * A worker with its ports open.
 *
 * @typedef {object} Stage
 * @property {number} number 1 for the first worker, one more for each that followed.
 * @property {types.Worker} worker
 * @property {types.WebRtcServer} server The ports that everybody shares.
 * @property {Death} [after] What became of the worker before it.
 */

/**
 * Starts a worker and opens its ports: those given, or else those of `media`.
 *
 * @param {number} number
 * @param {MediaOptions} media
 * @param {Place[]} [places]
 * @param {Death} [after]
 * @returns {Promise<Stage>}
 * @throws {Error} Its sentence says what to do.
 */
export async function openStage(number, media, places = placesOf(media), after) {
  const worker = await createWorker(media.worker);
  try {
    const server = await worker.createWebRtcServer({
      listenInfos: places.map(({ protocol, ip, port }) => ({
        ...listenInfo(media, protocol, ip),
        ...(port > 0 ? { port } : {}),
        ...(protocol === 'udp' ? BUFFERS : {}),
      })),
    });
    return { number, worker, server, after };
  } catch (error) {
    await ended(worker);
    throw new Error(
      `the worker cannot listen for media: ${messageOf(error)}; is another program using the port? --media-port chooses another`,
      { cause: error },
    );
  }
}

/**
 * The ports that the first worker was given, for those that follow.
 *
 * @param {Stage} stage
 * @param {MediaOptions} media
 * @returns {Promise<Place[]>}
 */
export async function placesTaken({ server }, media) {
  const { udpSockets: udp, tcpServers: tcp } = await server.dump();
  const taken = { udp: [...udp], tcp: [...tcp] };
  return placesOf(media).map((place) => ({
    ...place,
    port: taken[place.protocol].shift()?.port ?? place.port,
  }));
}

/**
 * @param {MediaOptions} media
 * @returns {Place[]}
 */
const placesOf = ({ ips, port }) =>
  ips.flatMap((ip) => [
    { protocol: 'udp', ip, port },
    { protocol: 'tcp', ip, port },
  ]);

/**
 * Where to listen, with no port chosen.
 *
 * @param {MediaOptions} media
 * @param {types.TransportProtocol} protocol
 * @param {string} ip
 * @returns {types.TransportListenInfo}
 */
export function listenInfo({ announcedAddress }, protocol, ip) {
  return { protocol, ip, ...(announcedAddress ? { announcedAddress } : {}) };
}

/**
 * Closes a worker; done when its process is gone.
 *
 * @param {types.Worker} worker
 */
export async function ended(worker) {
  const gone = new Promise((resolve) => {
    worker.once('subprocessclose', () => resolve(undefined));
  });
  worker.close();
  if (!worker.subprocessClosed) await gone;
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** How long to wait before the next worker: not at all after a long life, longer and longer when they die young. */
export class BackOff {
  #inARow = 0;

  /**
   * A worker ended that had lived for so long; 0 when it did not even start.
   *
   * @param {number} livedMs
   * @param {string} reason
   * @returns {Death}
   */
  death(livedMs, reason) {
    if (livedMs >= LONG_LIFE_MS) this.#inARow = 0;
    this.#inARow += 1;
    const pause = FIRST_PAUSE_MS * 2 ** Math.min(this.#inARow - 2, DOUBLINGS_MAX);
    const restartInMs = this.#inARow === 1 ? 0 : Math.min(pause, PAUSE_MAX_MS);
    return { reason, inARow: this.#inARow, restartInMs };
  }
}

// One socket carries everybody. The usual 208 KiB are full after 90 packets, a quarter of a second of one small room, in
// which a machine that is busy with browsers may well not let the worker run. The kernel gives less where it is told to.
const BUFFERS = { sendBufferSize: 2 << 20, recvBufferSize: 2 << 20 };
// Whoever lives so long did not die of the same cause as the one before.
const LONG_LIFE_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;
// More of them pass PAUSE_MAX_MS in any case.
const DOUBLINGS_MAX = 10;
