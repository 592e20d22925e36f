/**
 * The demo: ffmpeg as the sender, and ffmpeg as viewer 1, which decodes and counts.
 *
 * Knows what ffmpeg reports of its progress. Does not know the worker. Invariant: the viewer listens before the sender
 * starts.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { ffmpegDecodes, ffmpegSends } from './peers.js';
import { untilBound } from './ports.js';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Relay } from './relay.js' */

/** Both processes. */
export class Demo {
  /** Pictures that the viewer decoded. */
  pictures = 0;
  /** Why it cannot go on. @type {string | undefined} */
  failure;
  /** @type {ChildProcess[]} */
  #processes = [];

  /**
   * Starts the viewer, waits until it listens, starts the sender.
   *
   * @param {Relay} relay
   * @param {string} file The session description of viewer 1.
   */
  async start(relay, file) {
    const viewer = this.#run('decoding', ffmpegDecodes(file));
    // Blocks of `key=value` lines, one of them `frame=N`.
    if (viewer.stdout) {
      createInterface({ input: viewer.stdout }).on('line', (said) => {
        const frame = /^frame=(\d+)$/.exec(said)?.[1];
        if (frame) this.pictures = Number(frame);
      });
    }
    const ports = relay.viewers[0]?.streams.flatMap(({ port }) => [port, port + 1]) ?? [];
    const listens = await untilBound(ports, START_MAX_MS);
    if (!listens)
      this.failure ??= `the decoding ffmpeg did not open its ports within ${START_MAX_MS / 1_000} s`;
    if (!this.failure) this.#run('sending', ffmpegSends(relay.outputs));
  }

  stop() {
    for (const process of this.#processes) process.removeAllListeners('exit').kill('SIGKILL');
  }

  /**
   * @param {string} name
   * @param {string[]} ffmpegArguments
   */
  #run(name, ffmpegArguments) {
    const ffmpeg = spawn('ffmpeg', ffmpegArguments, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#processes.push(ffmpeg);
    ffmpeg.once('error', (error) => {
      this.failure ??= `ffmpeg does not start: ${error.message}; is it installed?`;
    });
    ffmpeg.once('exit', (code, signal) => {
      this.failure ??= `the ${name} ffmpeg ended by itself (${signal ?? code}); what it said is above`;
    });
    return ffmpeg;
  }
}

const START_MAX_MS = 10_000;
