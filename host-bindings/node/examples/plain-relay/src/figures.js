/**
 * Live figures: what the worker counts about each stream, and what its process costs.
 *
 * Knows statistics and how people read them. Taking a sample changes nothing in the relay.
 */

import { readFile } from 'node:fs/promises';

/** @import { types } from 'tidegate' */
/** @import { Relay } from './relay.js' */

/**
 * One look at the relay.
 *
 * @typedef {object} Sample
 * @property {number} seconds Since the meter was made.
 * @property {{ pid: number, cpuPercent: number, residentKb: number | null }} worker What its process costs, CPU in percent
 *   of one core.
 * @property {StreamFigures[]} streams What the sender's streams bring, and what goes to each viewer.
 */

/**
 * One RTP stream.
 *
 * @typedef {object} StreamFigures
 * @property {string} end `sender` or `viewer N`.
 * @property {string} codec For example `video/VP8`.
 * @property {number} packets Since the beginning.
 * @property {number} bitrate Bits a second.
 * @property {number} packetsLost RFC 3550 6.4.1; duplicates make it negative.
 * @property {number} lossPercent Of the last reporting interval.
 * @property {number | null} roundTripMs `null` until the peer answered one of the worker's reports: GStreamer's rtpbin does
 *   as a viewer, ffmpeg never does.
 * @property {number} score 0 (nothing arrives) to 10 (nothing is lost).
 */

/** Takes samples and remembers the last one's CPU time. */
export class Meter {
  #relay;
  #started = performance.now();
  #last = { atMs: this.#started, cpuMs: 0 };

  /** @param {Relay} relay */
  constructor(relay) {
    this.#relay = relay;
  }

  /** @returns {Promise<Sample>} */
  async sample() {
    const { worker, ingests, viewers } = this.#relay;
    const { ru_utime, ru_stime } = await worker.getResourceUsage();
    const [now, before] = [{ atMs: performance.now(), cpuMs: ru_utime + ru_stime }, this.#last];
    this.#last = now;
    const streams = [];
    for (const { producer } of ingests) {
      for (const stats of await producer.getStats()) streams.push(figuresOf('sender', stats));
    }
    for (const [index, { consumers }] of viewers.entries()) {
      for (const consumer of consumers) {
        // The producer's own follow.
        for (const stats of (await consumer.getStats()).filter(({ type }) => type === 'outbound-rtp')) {
          streams.push(figuresOf(`viewer ${index + 1}`, stats));
        }
      }
    }
    const cpuPercent = (100 * (now.cpuMs - before.cpuMs)) / Math.max(1, now.atMs - before.atMs);
    const residentKb = await residentKbOf(worker.pid);
    return {
      seconds: (now.atMs - this.#started) / 1_000,
      worker: { pid: worker.pid, cpuPercent, residentKb },
      streams,
    };
  }
}

/**
 * A table, for a terminal.
 *
 * @param {Sample} sample
 */
export function table(sample) {
  const rows = sample.streams.map((stream) => [
    stream.end,
    stream.codec,
    stream.packets,
    kilobits(stream.bitrate),
    stream.packetsLost,
    stream.lossPercent.toFixed(1),
    stream.roundTripMs?.toFixed(2) ?? '-',
    stream.score,
  ]);
  const header = ['', 'stream', 'packets', 'kb/s', 'lost', 'loss %', 'RTT ms', 'score'];
  const lines = [header, ...rows].map((cells) =>
    cells
      .map((cell, column) => {
        const width = WIDTHS[column] ?? 0;
        return column < 2 ? String(cell).padEnd(width) : String(cell).padStart(width);
      })
      .join(' '),
  );
  return [`${seconds(sample)}   worker ${sample.worker.pid}   ${cost(sample)}`, ...lines].join('\n');
}

/**
 * One line, for a log.
 *
 * @param {Sample} sample
 */
export function line(sample) {
  const sum = (/** @type {boolean} */ isSender) =>
    sample.streams
      .filter(({ end }) => (end === 'sender') === isSender)
      .reduce((total, { bitrate }) => total + bitrate, 0);
  const lost = sample.streams.reduce((total, { packetsLost }) => total + packetsLost, 0);
  return `${seconds(sample)}  in ${kilobits(sum(true))} kb/s  out ${kilobits(sum(false))} kb/s  lost ${lost}  ${cost(sample)}`;
}

/**
 * @param {string} end
 * @param {types.ProducerStat | types.ConsumerStat} stats
 * @returns {StreamFigures}
 */
function figuresOf(end, stats) {
  return {
    end,
    codec: stats.mimeType,
    packets: stats.packetCount,
    bitrate: stats.bitrate,
    packetsLost: stats.packetsLost,
    lossPercent: (100 * stats.fractionLost) / 256,
    roundTripMs: stats.roundTripTime || null,
    score: stats.score,
  };
}

/** @param {Sample} sample */
const seconds = (sample) => `${sample.seconds.toFixed(0)} s`;

/** @param {Sample} sample */
function cost({ worker: { cpuPercent, residentKb } }) {
  const memory = residentKb === null ? '-' : `${(residentKb / 1_024).toFixed(1)} MB`;
  return `CPU ${cpuPercent.toFixed(1)} %   memory ${memory}`;
}

/** @param {number} bitrate */
const kilobits = (bitrate) => Math.round(bitrate / 1_000);

/**
 * `null` when the process is gone.
 *
 * @param {number} pid
 */
async function residentKbOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s*(\d+)/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes);
}

const WIDTHS = [10, 11, 9, 7, 6, 7, 7, 6];
