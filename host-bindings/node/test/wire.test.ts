import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import test, { after } from 'node:test';
import { DecodeError, EncodeError, Reader, Writer } from '../dist/cjs/wire/bincode.js';
import * as wire from '../dist/cjs/wire/generated.js';
import { built, repository } from './repository.js';

type Direction = 'ToWorker' | 'FromWorker';

/** What our codec makes of a frame's content: the message, and its bytes written again. */
function again(direction: Direction, content: Buffer): Buffer {
  const reader = new Reader(content);
  const writer = new Writer();
  if (direction === 'ToWorker') {
    const message = wire.readToWorker(reader);
    reader.end();
    wire.writeToWorker(writer, message);
  } else {
    const message = wire.readFromWorker(reader);
    reader.end();
    wire.writeFromWorker(writer, message);
  }
  return writer.frame().subarray(4);
}

/** The Rust codec in a process of its own. */
class Partner {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#process = spawn(built('tidegate-codegen'), ['--exercise'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = readline.createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  ask(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  async answer(): Promise<string> {
    const line = await this.#lines.next();
    assert.ok(!line.done, 'the partner ended');
    return line.value;
  }

  async close(): Promise<void> {
    const exit = once(this.#process, 'exit');
    // Not by the end of its input: after a failed test it may wait for a reader.
    this.#process.kill();
    await exit;
  }
}

const partner = new Partner();
after(() => partner.close());

test('every golden vector is read and written back byte for byte', () => {
  const file = fs.readFileSync(path.join(repository, 'protocol/vectors/golden.txt'), 'utf8');
  const lines = file.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.ok(lines.length > 90, `${lines.length} vectors`);
  for (const line of lines) {
    const [name, hex] = line.split(' ') as [string, string];
    const frame = Buffer.from(hex, 'hex');
    assert.equal(frame.readUInt32LE(0), frame.length - 4, name);
    const direction = name === 'hello_reply' || name.startsWith('command/') ? 'ToWorker' : 'FromWorker';
    assert.deepEqual(again(direction, frame.subarray(4)), frame.subarray(4), name);
  }
});

test('random messages of the Rust codec come back as they were', async () => {
  for (const direction of ['ToWorker', 'FromWorker'] as const) {
    partner.ask(`random ${direction} 1 5000`);
    for (let count = 0; count < 5000; count++) {
      const content = Buffer.from(await partner.answer(), 'hex');
      assert.deepEqual(again(direction, content), content);
    }
  }
});

test('both codecs refuse the same damaged messages and agree about all others', async () => {
  const seen = { accepted: 0, refused: 0, limited: 0 };
  let random = 12345;
  const below = (bound: number) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % bound;
  };
  for (const direction of ['ToWorker', 'FromWorker'] as const) {
    partner.ask(`random ${direction} 2 1500`);
    const contents: Buffer[] = [];
    for (let count = 0; count < 1500; count++) {
      contents.push(Buffer.from(await partner.answer(), 'hex'));
    }
    for (const content of contents) {
      const damaged = damage(content, below);
      partner.ask(`decode ${direction} ${damaged.toString('hex')}`);
      const theirs = await partner.answer();
      const ours = verdict(direction, damaged);
      if (theirs.includes('are allowed; shorten it')) {
        // Lists and texts have limits which only Rust's types know; the worker holds them.
        seen.limited += 1;
      } else if (ours !== 'rounded') {
        assert.equal(
          ours,
          theirs.startsWith('ok ') ? theirs : 'no',
          `${direction} ${damaged.toString('hex')}`,
        );
        seen[ours === 'no' ? 'refused' : 'accepted'] += 1;
      }
    }
  }
  assert.ok(seen.accepted > 300 && seen.refused > 300, JSON.stringify(seen));
});

function damage(content: Buffer, below: (bound: number) => number): Buffer {
  const damaged = Buffer.from(content);
  switch (below(4)) {
    case 0:
      return damaged.subarray(0, below(damaged.length));
    case 1:
      return Buffer.concat([damaged, Buffer.alloc(1 + below(3))]);
    case 2:
      damaged[below(damaged.length)] = below(256);
      return damaged;
    default:
      damaged[below(damaged.length)]! ^= 1 << below(8);
      return damaged;
  }
}

function verdict(direction: Direction, content: Buffer): string {
  try {
    return `ok ${again(direction, content).toString('hex')}`;
  } catch (error) {
    if (error instanceof EncodeError) {
      // Read as the nearest number, which is beyond what is written.
      assert.match(error.message, /is not a whole number from/);
      return 'rounded';
    }
    assert.ok(error instanceof DecodeError, String(error));
    return 'no';
  }
}

test('hostile lengths make no room', () => {
  const content = Buffer.alloc(20);
  content.writeUInt32LE(1, 0);
  content.writeUInt32LE(3, 4);
  content.writeBigUInt64LE(2n ** 62n, 8);
  assert.throws(() => again('ToWorker', content), DecodeError);
  const zeros = Buffer.alloc(1 << 20);
  assert.throws(() => again('FromWorker', zeros), DecodeError);
});

test('a value that does not fit its place is refused with its range', () => {
  const writer = new Writer();
  for (const wrong of [
    -1,
    65_536,
    1.5,
    NaN,
    Infinity,
    '7' as unknown as number,
    undefined as unknown as number,
  ]) {
    assert.throws(
      () => {
        writer.u16(wrong);
      },
      /not a whole number from 0 to 65535/,
      String(wrong),
    );
  }
  assert.throws(() => {
    writer.u64(2 ** 53);
  }, /not a whole number/);
  assert.throws(() => {
    writer.text(7 as unknown as string);
  }, TypeError);
  assert.throws(() => {
    writer.byteArray(new Uint8Array(3), 4);
  }, TypeError);
  assert.throws(() => {
    wire.writeMediaKind(writer, 'smell' as wire.MediaKind);
  }, /MediaKind cannot be smell; it is one of audio, video/);
  assert.throws(() => {
    wire.writeCommand(writer, { type: 'fly' } as unknown as wire.Command);
  }, /fly is no Command/);
});

test('whole numbers keep their value to the end of their range', () => {
  const writer = new Writer();
  const numbers = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 32), -(2 ** 32) - 1, -(2 ** 53) + 1];
  numbers.forEach((number) => {
    writer.i64(number);
  });
  const reader = new Reader(writer.frame().subarray(4));
  assert.deepEqual(
    numbers.map(() => reader.i64()),
    numbers,
  );
  const huge = Buffer.alloc(8, 0xff);
  assert.equal(new Reader(huge).u64(), 2 ** 64);
  assert.equal(new Reader(huge).bits64(), 2n ** 64n - 1n);
});
