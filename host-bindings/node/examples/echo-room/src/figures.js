/**
 * What the worker costs and moves, once a second, for the page to draw.
 *
 * Knows the worker's counters and its process. Does not know rooms or pages. Invariant: a rate is of one worker's life;
 * after another one started, rates begin with the second look.
 */

import { readFile } from 'node:fs/promises';

/** @import { types } from 'tidegate' */

/**
 * One look.
 *
 * @typedef {object} Figures
 * @property {number} rooms Rooms with somebody in them.
 * @property {number} visitors Visitors of all rooms.
 * @property {WorkerFigures | null} worker `null` while there is none.
 */

/**
 * What one worker costs and moves. Rates and means are of the time since the look before, `null` at the first.
 *
 * @typedef {object} WorkerFigures
 * @property {number} pid Its process.
 * @property {number | null} cpuPercent CPU time in percent of one core.
 * @property {number | null} residentBytes Memory that the process holds, its program included.
 * @property {number} packetMemoryBytes Memory that packets hold: buffers and histories.
 * @property {number} packetMemoryLimitBytes The most that they may hold.
 * @property {number | null} receivedPerSecond Datagrams, RTCP and checks included.
 * @property {number | null} forwardedPerSecond RTP packets.
 * @property {number | null} sentPerSecond Datagrams.
 * @property {number | null} forwardedBitrate Bits a second of forwarded RTP packets.
 * @property {number | null} gsoRunLength Datagrams in one system message; `null` when nothing was sent.
 * @property {number | null} forwardDelayMs How long a packet waited before it was forwarded; likewise.
 * @property {number} transports That are there.
 * @property {number} producers Likewise.
 * @property {number} consumers Likewise.
 * @property {number} packetsResent Since the worker started.
 * @property {number} panicsContained Defects that were contained; 0, if all is well.
 */

/**
 * Counters at one moment.
 *
 * @typedef {object} Look
 * @property {number} atMs
 * @property {number} pid
 * @property {number} cpuMs
 * @property {types.WorkerMetrics} metrics
 */

/** Takes looks, and remembers the last one. */
export class Meter {
  /** @type {Look | undefined} */
  #last;

  /**
   * One look at the worker, with how many rooms and visitors there are.
   *
   * @param {types.Worker | undefined} worker
   * @param {{ rooms: number, visitors: number }} attendance
   * @returns {Promise<Figures>}
   */
  async look(worker, attendance) {
    // One that is gone by now has no figures.
    const look = worker && (await lookAt(worker).catch(() => undefined));
    const before = this.#last?.pid === look?.pid ? this.#last : undefined;
    this.#last = look;
    if (!look) return { ...attendance, worker: null };
    const residentBytes = await residentBytesOf(look.pid);
    return { ...attendance, worker: { ...figuresOf(look, before), residentBytes } };
  }
}

/**
 * @param {types.Worker} worker
 * @returns {Promise<Look>}
 */
async function lookAt(worker) {
  const [usage, metrics] = await Promise.all([worker.getResourceUsage(), worker.getMetrics()]);
  return { atMs: performance.now(), pid: worker.pid, cpuMs: usage.ru_utime + usage.ru_stime, metrics };
}

/**
 * What one look tells, together with the one before.
 *
 * @param {Look} look
 * @param {Look} [before]
 * @returns {WorkerFigures}
 */
export function figuresOf(look, before) {
  const seconds = before ? (look.atMs - before.atMs) / 1_000 : 0;
  const rate = (/** @type {number} */ count) => (seconds > 0 ? count / seconds : null);
  const value = (/** @type {string} */ name, of = look) => of.metrics.values[name] ?? 0;
  const grown = (/** @type {string} */ name) => value(name) - value(name, before ?? look);
  const received = distribution('datagrams_per_turn', look, before);
  const sent = distribution('gso_run_length', look, before);
  const waited = distribution('forward_delay_us', look, before);
  const bytes = rate(grown('bytes_forwarded'));
  const meanWaitUs = mean(waited);
  // Milliseconds a second are tenths of a percent.
  const cpu = rate(look.cpuMs - (before ?? look).cpuMs);
  return {
    pid: look.pid,
    cpuPercent: cpu === null ? null : cpu / 10,
    residentBytes: null,
    packetMemoryBytes: value('packet_memory_held_bytes'),
    packetMemoryLimitBytes: value('packet_memory_limit_bytes'),
    receivedPerSecond: rate(received.sum),
    forwardedPerSecond: rate(grown('packets_forwarded')),
    sentPerSecond: rate(sent.sum),
    forwardedBitrate: bytes === null ? null : bytes * 8,
    gsoRunLength: before ? mean(sent) : null,
    forwardDelayMs: before && meanWaitUs !== null ? meanWaitUs / 1_000 : null,
    transports: value('transports'),
    producers: value('producers'),
    consumers: value('consumers'),
    packetsResent: value('packets_resent'),
    panicsContained: value('panics_contained'),
  };
}

/**
 * Sum and count of the values that a histogram got since the look before.
 *
 * @param {string} name
 * @param {Look} look
 * @param {Look} [before]
 */
function distribution(name, look, before) {
  const of = (/** @type {Look | undefined} */ one) => {
    const histogram = one?.metrics.histograms[name];
    const count = (histogram?.buckets ?? []).reduce((total, bucket) => total + bucket, 0);
    return { sum: histogram?.sum ?? 0, count };
  };
  const [now, then] = [of(look), of(before)];
  return { sum: now.sum - then.sum, count: now.count - then.count };
}

/** @param {{ sum: number, count: number }} distribution */
const mean = ({ sum, count }) => (count > 0 ? sum / count : null);

/**
 * `null` when the process is gone.
 *
 * @param {number} pid
 */
export async function residentBytesOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s*(\d+)/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1_024;
}
