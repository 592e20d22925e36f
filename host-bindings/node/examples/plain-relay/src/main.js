/**
 * `npm start`: starts a worker, says how to send to it and watch it, shows live figures.
 *
 *     npm start -- --demo     the sender and a decoding viewer are started too
 *     npm start               you start them, from the lines that it prints
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { createWorker, version } from 'tidegate';

import { Demo } from './demo.js';
import { Meter, line, table } from './figures.js';
import { commandLine, ffmpegSends, ffplay, gstreamerPlays, gstreamerSends } from './peers.js';
import { freePair } from './ports.js';
import { Relay } from './relay.js';
import { describe } from './sdp.js';

/** @import { Sample } from './figures.js' */

const HELP = `Relays one sender of RTP (VP8 and Opus) to any number of viewers and shows live figures.

npm start -- [OPTIONS]

  --listen ADDRESS     to listen on, and to send to viewers from [default: 127.0.0.1]
  --port PORT          the first of four for the sender: video RTP and RTCP, audio RTP and RTCP; 0: any that are free
                       [default: 5004; 0 with --demo]
  --viewers N          how many viewers to prepare [default: 1]
  --viewer-address A   where viewers are [default: the address to listen on]
  --viewer-port PORT   the first of the first viewer, an even one; each takes four [default: 6000; free ones with --demo]
  --demo               start the sender and a decoding viewer too, both ffmpeg; fails unless pictures come out
  --seconds N          stop after so long [default: at Ctrl-C]
  --json               one JSON object a second on standard output; everything else goes to standard error
`;

function options() {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string' },
      viewers: { type: 'string', default: '1' },
      'viewer-address': { type: 'string' },
      'viewer-port': { type: 'string' },
      demo: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { listen, demo, json, help, seconds } = values;
  const viewerAddress = values['viewer-address'] ?? listen;
  for (const address of [listen, viewerAddress]) {
    if (isIP(address) === 0) throw new Error(`${address} is no IP address`);
  }
  const viewerPort = values['viewer-port'];
  const viewers = whole('--viewers', values.viewers, 500);
  if (demo && viewers === 0) throw new Error('the demo needs a viewer; leave --viewers at 1 or more');
  return {
    listen,
    demo,
    json,
    help,
    viewers,
    viewerAddress,
    port: values.port === undefined ? (demo ? 0 : SENDER_PORT) : whole('--port', values.port, 65_532),
    // `undefined`: any that are free.
    viewerPort:
      viewerPort === undefined
        ? demo
          ? undefined
          : VIEWER_PORT
        : whole('--viewer-port', viewerPort, 65_536 - 4 * viewers),
    seconds: seconds === undefined ? undefined : whole('--seconds', seconds, 1_000_000),
  };
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} max
 */
function whole(option, text, max) {
  if (/^\d{1,7}$/.test(text) && Number(text) <= max) return Number(text);
  throw new Error(`${option} takes a number from 0 to ${max}, not '${text}'`);
}

async function main() {
  const chosen = options();
  if (chosen.help) {
    process.stdout.write(HELP);
    return;
  }
  const { listen, port, viewers, viewerAddress, viewerPort, seconds, json } = chosen;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());
  const say = (/** @type {string} */ text) => (json ? console.error(text) : console.log(text));
  const folder = mkdtempSync(path.join(tmpdir(), 'plain-relay-'));
  const demo = chosen.demo ? new Demo() : undefined;
  const worker = await createWorker();
  try {
    const relay = await Relay.start(worker, listen, port);
    for (let index = 0; index < viewers; index += 1) {
      const first = viewerPort === undefined ? undefined : viewerPort + 4 * index;
      const ports =
        first === undefined
          ? [await freePair(viewerAddress), await freePair(viewerAddress)]
          : [first, first + 2];
      const viewer = await relay.addViewer(viewerAddress, ports);
      writeFileSync(fileOf(folder, index), describe(viewerAddress, viewer.streams));
    }
    say(`Tidegate ${version}, worker ${worker.pid}, is ready.`);
    if (demo) say('ffmpeg sends a test picture and a beep; another ffmpeg decodes what viewer 1 receives.\n');
    else explain(relay, folder, say);
    await demo?.start(relay, fileOf(folder, 0));
    const died = new Promise((_, reject) => worker.once('died', reject));
    await Promise.race([watch(relay, demo, json, seconds, stop.signal), died]);
    if (demo?.failure) throw new Error(demo.failure);
    if (demo?.pictures === 0) throw new Error('not one picture was decoded');
  } catch (error) {
    // Ctrl-C on a terminal goes to the worker and to ffmpeg as well, and may be noticed here only after their end.
    await pause(SIGNAL_LAG_MS);
    if (!stop.signal.aborted) throw error;
  } finally {
    demo?.stop();
    worker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Shows a sample a second until it is time to stop.
 *
 * @param {Relay} relay
 * @param {Demo | undefined} demo
 * @param {boolean} json
 * @param {number | undefined} seconds
 * @param {AbortSignal} stop
 */
async function watch(relay, demo, json, seconds = Infinity, stop) {
  const meter = new Meter(relay);
  const until = performance.now() + seconds * 1_000;
  const screen = { lines: 0 };
  while (!stop.aborted && !demo?.failure && performance.now() < until) {
    const left = until - performance.now();
    await pause(Math.min(SHOW_EVERY_MS, left), undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return;
    show(await meter.sample(), demo, json, screen);
  }
}

/**
 * @param {Sample} sample
 * @param {Demo | undefined} demo
 * @param {boolean} json
 * @param {{ lines: number }} screen Lines of the table that is on the terminal now.
 */
function show(sample, demo, json, screen) {
  const note = demo ? `viewer 1 decoded ${demo.pictures} pictures` : '';
  if (json) {
    console.log(JSON.stringify({ ...sample, ...(demo ? { decodedPictures: demo.pictures } : {}) }));
  } else if (process.stdout.isTTY) {
    const text = `${table(sample)}\n${note}`;
    // ECMA-48: cursor up by so many lines, then erase from there to the end of the screen.
    const over = screen.lines > 0 ? `\x1b[${screen.lines}A\x1b[J` : '';
    process.stdout.write(`${over}${text}\n`);
    screen.lines = text.split('\n').length;
  } else {
    console.log(`${line(sample)}  ${note}`.trimEnd());
  }
}

/**
 * Says how to send and how to watch.
 *
 * @param {Relay} relay
 * @param {string} folder
 * @param {(text: string) => void} say
 */
function explain(relay, folder, say) {
  say(`\nSend with ffmpeg:\n\n  ${commandLine('ffmpeg', ffmpegSends(relay.outputs))}\n`);
  say(`or with GStreamer:\n\n  ${gstreamerSends(relay.outputs)}\n`);
  for (const [index, viewer] of relay.viewers.slice(0, EXPLAINED_MAX).entries()) {
    say(`Watch as viewer ${index + 1}:\n\n  ${commandLine('ffplay', ffplay(fileOf(folder, index)))}\n`);
    say(`or with GStreamer:\n\n  ${gstreamerPlays(viewer)}\n`);
  }
  const more = relay.viewers.length - EXPLAINED_MAX;
  if (more > 0) say(`${more} more viewers: ${path.join(folder, 'viewer-N.sdp')}\n`);
  say('Players first, then the sender. Ctrl-C ends it.\n');
}

/**
 * @param {string} folder
 * @param {number} index
 */
const fileOf = (folder, index) => path.join(folder, `viewer-${index + 1}.sdp`);

// What RFC 3551 8 suggests for RTP where nothing else is agreed.
const SENDER_PORT = 5_004;
const VIEWER_PORT = 6_000;
const SHOW_EVERY_MS = 1_000;
// A signal to the whole process group reaches everyone within this.
const SIGNAL_LAG_MS = 200;
// More command lines than this help nobody.
const EXPLAINED_MAX = 2;

main().catch((/** @type {unknown} */ error) => {
  console.error(`plain-relay: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
