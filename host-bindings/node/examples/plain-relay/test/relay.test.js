/** ffmpeg sends, the relay forwards, ffmpeg decodes: the program itself, as `npm start -- --demo` runs it. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { commandLine } from '../src/peers.js';
import { freePair } from '../src/ports.js';
import { describe } from '../src/sdp.js';

/** @import { Sample } from '../src/figures.js' */

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

test('what ffmpeg sends is decoded by another ffmpeg behind the relay', { timeout: 60_000 }, async () => {
  const program = [MAIN, '--demo', '--json', '--seconds', '10', '--viewers', '2'];
  const { stdout } = await promisify(execFile)(process.execPath, program);
  const lines = stdout.trim().split('\n');
  const samples = lines.map((line) => /** @type {Sample & { decodedPictures: number }} */ (JSON.parse(line)));
  const last = samples.at(-1);
  assert.ok(last && samples.length >= 8, stdout);
  // 30 pictures a second, of which the first five seconds are ffmpeg's, for its start and its look at the streams.
  assert.ok(last.decodedPictures >= 60, `${last.decodedPictures} pictures`);
  assert.ok((last.worker.residentKb ?? 0) > 1_000, JSON.stringify(last.worker));
  const packets = (/** @type {string} */ end) =>
    last.streams.filter((stream) => stream.end === end).map((stream) => stream.packets);
  const [sent, ...received] = [packets('sender'), packets('viewer 1'), packets('viewer 2')];
  assert.equal(sent.length, 2);
  for (const [index, count] of sent.entries()) {
    assert.ok(count > 100, `${count} packets were sent`);
    // A video viewer begins at the first key frame, and packets pass between two answers of the worker.
    for (const viewer of received)
      assert.ok(Math.abs(count - (viewer[index] ?? 0)) <= 50, `${viewer.join()} of ${sent.join()}`);
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
