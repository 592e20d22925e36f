/** ffmpeg sends, the relay forwards, ffmpeg decodes: the program itself, as `npm start -- --demo` runs it. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { commandLine } from '../src/peers.js';
import { freePair } from '../src/ports.js';
import { describe } from '../src/sdp.js';

/** @import { Sample } from '../src/figures.js' */

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

test('what ffmpeg sends is decoded by another ffmpeg behind the relay', { timeout: 90_000 }, async (t) => {
  const program = spawn(process.execPath, [MAIN, '--demo', '--json', '--viewers', '2'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => program.kill('SIGKILL'));
  const exit = once(program, 'exit');
  /** @type {(Sample & { decodedPictures: number }) | undefined} */
  let last;
  for await (const line of createInterface({ input: program.stdout })) {
    last = /** @type {Sample & { decodedPictures: number }} */ (JSON.parse(line));
    if (last.decodedPictures >= 60) break;
  }
  // Ctrl-C ends all of it, and that is no failure.
  program.kill('SIGINT');
  assert.deepEqual(await exit, [0, null]);
  assert.ok(last && last.decodedPictures >= 60, JSON.stringify(last));
  assert.ok(!existsSync(`/proc/${last.worker.pid}`), 'the worker is there still');
  assert.ok((last.worker.residentKb ?? 0) > 1_000, JSON.stringify(last.worker));
  const { streams } = last;
  const packets = (/** @type {string} */ end) =>
    streams.filter((stream) => stream.end === end).map((stream) => stream.packets);
  const [sent, ...received] = [packets('sender'), packets('viewer 1'), packets('viewer 2')];
  assert.equal(sent.length, 2);
  for (const [index, count] of sent.entries()) {
    assert.ok(count > 100, `${count} packets were sent`);
    for (const viewer of received) {
      // A video viewer begins at the first key frame, and packets pass between two answers of the worker.
      const missing = Math.abs(count - (viewer[index] ?? 0));
      assert.ok(missing <= 50, `${viewer.join()} of ${sent.join()}`);
    }
  }
});

test('an option that cannot be is refused with its name', async () => {
  for (const [option, value] of [
    ['--viewers', '501'],
    ['--listen', 'nowhere'],
    ['--port', 'x'],
  ]) {
    const run = promisify(execFile)(process.execPath, [MAIN, `${option}=${value}`]);
    await assert.rejects(run, { code: 1, stderr: new RegExp(`^plain-relay: .*${value}`) });
  }
});

test('command lines survive a shell', () => {
  assert.equal(
    commandLine('ffmpeg', ['-i', "it's", 'rtp://h:1?a=1&b=2']),
    String.raw`ffmpeg -i 'it'\''s' 'rtp://h:1?a=1&b=2'`,
  );
});

test('session descriptions name address family, ports and codecs', () => {
  const text = describe('::1', [{ kind: 'video', port: 6_000, payloadType: 101, encoding: 'VP8/90000' }]);
  const media = 'm=video 6000 RTP/AVP 101\r\na=rtpmap:101 VP8/90000\r\n';
  assert.equal(
    text,
    `v=0\r\no=- 0 0 IN IP6 ::1\r\ns=Tidegate plain-relay\r\nc=IN IP6 ::1\r\nt=0 0\r\n${media}`,
  );
});

test('pairs of ports are even and differ', async () => {
  const [one, other] = [await freePair('127.0.0.1'), await freePair('127.0.0.1')];
  assert.ok(one % 2 === 0 && other % 2 === 0 && one !== other);
});
