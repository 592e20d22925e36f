import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import test from 'node:test';
import { RequestTimeoutError } from 'tidegate/errors';
import { Channel, RESPONSE_TAG } from '../dist/cjs/channel/channel.js';
import { BrokenFraming, FrameReader } from '../dist/cjs/channel/frames.js';
import { Reader, Writer } from '../dist/cjs/wire/bincode.js';
import {
  type Event,
  FRAME_BYTES_MAX,
  type FromWorker,
  readToWorker,
  type ToWorker,
  writeFromWorker,
} from '../dist/cjs/wire/generated.js';
import { until } from './workers.js';

/** A channel whose worker is the test. */
function channel(requestTimeoutMs = 10_000, output: Duplex = new PassThrough()) {
  const input = new PassThrough();
  const broken: string[] = [];
  const events: Event[] = [];
  const made = new Channel(input, output, new FrameReader(), requestTimeoutMs, {
    onBroken: (cause) => broken.push(cause),
    onInputEnd: () => broken.push('end'),
    onWorkerEvent: (event) => events.push(event),
    onLog: () => undefined,
    whySilent: () => '; why',
  });
  return { channel: made, input, output, broken, events };
}

function frame(message: FromWorker): Buffer {
  const writer = new Writer();
  writeFromWorker(writer, message);
  return Buffer.from(writer.frame());
}

const done = (id: number): FromWorker => ({
  type: 'response',
  id,
  result: { type: 'ok', value: { type: 'done' } },
});
const paused = (consumer: number): FromWorker => ({
  type: 'event',
  value: { type: 'consumerProducerPaused', consumer },
});

test('frames come out whole however the bytes arrive', () => {
  const contents = ['one', '', 'x'.repeat(70_000), 'last'].map((text) => Buffer.from(text));
  const stream = Buffer.concat(
    contents.flatMap((content) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(content.length);
      return [length, content];
    }),
  );
  for (const step of [1, 2, 3, 5, 4096, stream.length]) {
    const reader = new FrameReader();
    const seen: string[] = [];
    for (let at = 0; at < stream.length; at += step) {
      reader.push(stream.subarray(at, at + step));
      for (let next = reader.next(); next; next = reader.next()) {
        seen.push(next.toString());
      }
    }
    assert.deepEqual(
      seen,
      contents.map((content) => content.toString()),
      `step ${step}`,
    );
  }
  const hostile = new FrameReader();
  hostile.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  assert.throws(() => hostile.next(), BrokenFraming);
  const largest = new FrameReader();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(FRAME_BYTES_MAX);
  largest.push(length);
  assert.equal(largest.next(), undefined);
});

test('the tag by which responses are told from events is theirs', () => {
  assert.equal(frame(done(1)).readUInt32LE(4), RESPONSE_TAG);
  assert.notEqual(frame(paused(1)).readUInt32LE(4), RESPONSE_TAG);
});

test('whoever waits for an answer runs before the events behind it are told', async () => {
  const { channel: made, input } = channel();
  const order: string[] = [];
  const ask = async (name: string) => {
    await made.done({ type: 'dumpWorker' }, () => {
      order.push(`${name} takes effect`);
      made.register(7, 'seven', () => order.push('event'));
    });
    // An application awaits what awaits.
    await Promise.resolve();
    await Promise.resolve();
    order.push(`${name} goes on`);
  };
  const both = Promise.all([ask('one'), ask('two')]);
  input.write(
    Buffer.concat([frame(paused(7)), frame(done(1)), frame(paused(7)), frame(paused(7)), frame(done(2))]),
  );
  await both;
  assert.deepEqual(order, [
    'one takes effect',
    'one goes on',
    'event',
    'event',
    'two takes effect',
    'two goes on',
  ]);
});

test('events of ids that are closed or unknown are dropped', async () => {
  const { channel: made, input, events, broken } = channel();
  const seen: Event[] = [];
  made.register(7, 'seven', (event) => seen.push(event));
  input.write(frame(paused(7)));
  input.write(frame(paused(8)));
  await until(() => seen.length === 1);
  made.forget(7);
  assert.equal(made.nameOf(7), undefined);
  input.write(frame(paused(7)));
  input.write(frame({ type: 'event', value: { type: 'memoryLimit', limitBytes: 1, dropped: 2 } }));
  await until(() => events.length === 1);
  assert.deepEqual([seen.length, broken], [1, []]);
});

test('an answer out of order, a second greeting and nonsense end the worker with a cause', async () => {
  const hello = { protocolVersion: 3, workerVersion: '0', pid: 1, features: [] };
  for (const [bytes, cause] of [
    [frame(done(2)), /answer to request 2/],
    [frame({ type: 'hello', value: hello }), /second greeting/],
    [Buffer.from([4, 0, 0, 0, 99, 0, 0, 0]), /no variant 99/],
    [Buffer.from([1, 0, 0, 0, 0]), /ends too soon/],
    [Buffer.alloc(4, 1), /announced a frame/],
  ] as const) {
    const { channel: made, input, broken } = channel();
    const asked = made.done({ type: 'dumpWorker' });
    input.write(bytes);
    await until(() => broken.length === 1);
    assert.match(broken[0]!, cause);
    made.end(new Error('over'));
    await assert.rejects(asked, /over/);
    await assert.rejects(made.done({ type: 'dumpWorker' }), /over/);
    made.tell({ type: 'dumpWorker' });
  }
});

test('requests are given up one by one, and late answers find their own request', async (t) => {
  // As a worker's process does: the channel's own timers keep nobody alive.
  const alive = setInterval(() => undefined, 1000);
  t.after(() => {
    clearInterval(alive);
  });
  const { channel: made, input } = channel(60);
  const first = made.request({ type: 'createRouter', router: 1 }, () => 'made', {
    undo: { type: 'closeRouter', router: 1 },
  });
  await assert.rejects(
    first,
    (error) => error instanceof RequestTimeoutError && error.message.endsWith('0.06 s; why'),
  );
  const second = made.done({ type: 'dumpWorker' });
  assert.equal(made.pendingForTesting, 2);
  input.write(Buffer.concat([frame(done(1)), frame(done(2))]));
  await second;
  // What was undone is a request too.
  assert.equal(made.pendingForTesting, 1);
});

test('requests wait for a worker that does not read, up to a limit, and leave in order when it does', async () => {
  let open: (() => void) | undefined;
  const received: Buffer[] = [];
  const output = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, callback) {
      received.push(chunk);
      open = callback;
    },
    highWaterMark: 1000,
  });
  const { channel: made, input } = channel(60_000, output);
  const asked = Array.from({ length: 500 }, () => made.done({ type: 'dumpWorker' }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(output.writableLength < 2000, `${output.writableLength} bytes in the stream`);
  while (received.length < 500) {
    const proceed = open;
    open = undefined;
    proceed?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ids = received.map((chunk) => (message(chunk) as { id: number }).id);
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  );
  input.write(Buffer.concat(ids.map((id) => frame(done(id)))));
  await Promise.all(asked);

  const value = 'x'.repeat(100_000);
  const results = Array.from({ length: 200 }, async () =>
    made.done({
      type: 'webRtc',
      value: {
        type: 'connectTransport',
        transport: 1,
        role: 'auto',
        fingerprints: [{ algorithm: 'sha256', value }],
      },
    }),
  );
  await assert.rejects(results.at(-1)!, /bytes of requests wait for the worker, which does not read them/);
  made.end(new Error('over'));
  const settled = await Promise.allSettled(results);
  const over = settled.filter((result) => result.status === 'rejected' && /over/.test(String(result.reason)));
  assert.equal(over.length, 167);
});

function message(bytes: Buffer): ToWorker {
  return readToWorker(new Reader(bytes.subarray(4)));
}
