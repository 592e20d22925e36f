// bincode 1 with fixed integers, little endian: bytes to values and back, as protocol/src/codec.rs does it.
//
// Knows layouts of plain values. Does not know messages: generated.ts calls it. Invariant: nothing is read beyond the end,
// no room is made for what has not arrived, and what the Rust codec refuses (a third truth value, a text that is not
// UTF-8, bytes after the end) is refused here.

/** The bytes are not what they should be. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

/** A value that its place on the wire cannot take. The sentence is for the application: it is its value. */
export class EncodeError extends TypeError {
  constructor(message: string) {
    super(message);
    this.name = 'TypeError';
  }
}

/** Reads values from the bytes of one message. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bool(): boolean {
    return this.#truth('bool');
  }

  /** Whether a value follows. */
  option(): boolean {
    return this.#truth('option');
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  i8(): number {
    return this.#bytes.readInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  i32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }

  /** Exact up to 2^53; the nearest number beyond. */
  u64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  /** Exact from -2^53 to 2^53; the nearest number beyond. */
  i64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readInt32LE(at + 4) * 2 ** 32;
  }

  /** All 64 bits. */
  bits64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  text(): string {
    const length = this.#length(1);
    const start = this.#take(length);
    const text = this.#bytes.toString('utf8', start, start + length);
    // What is not UTF-8 became this character, which may as well be meant.
    return text.includes('\ufffd') ? this.#strict(start, start + length) : text;
  }

  /** A copy of bytes behind their length. */
  bytes(): Uint8Array {
    return this.byteArray(this.#length(1));
  }

  /** A copy of this many bytes. */
  byteArray(length: number): Uint8Array {
    const start = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** Elements behind their number, each of which takes `leastBytes` at least. */
  list<T>(leastBytes: number, read: () => T): T[] {
    const length = this.#length(leastBytes);
    const items: T[] = [];
    for (let index = 0; index < length; index++) {
      items.push(read());
    }
    return items;
  }

  /** A variant's name. */
  name<T extends string>(type: string, names: readonly T[]): T {
    const tag = this.u32();
    return names[tag] ?? this.unknown(type, tag);
  }

  /** There is no such variant. */
  unknown(type: string, tag: number): never {
    throw new DecodeError(`${type} has no variant ${tag}`);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.length) {
      throw new DecodeError(`${this.#bytes.length - this.#at} bytes follow the message`);
    }
  }

  #truth(what: string): boolean {
    const byte = this.u8();
    if (byte > 1) {
      throw new DecodeError(`${byte} is no ${what}`);
    }
    return byte === 1;
  }

  #length(leastBytes: number): number {
    const length = this.u64();
    if (length * leastBytes > this.#bytes.length - this.#at) {
      throw new DecodeError(`${length} elements are announced, more than there are bytes for`);
    }
    return length;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) {
      throw new DecodeError('the message ends too soon');
    }
    this.#at = at + bytes;
    return at;
  }

  #strict(start: number, end: number): string {
    try {
      return strictUtf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw new DecodeError('a text is not UTF-8');
    }
  }
}

/**
 * Writes the values of one message, behind room for the frame's length. All writers write into one buffer: from the first
 * value to `frame()` nobody else may write.
 */
export class Writer {
  #bytes = scratch;
  #at = LENGTH_BYTES;

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  /** Says whether a value follows. */
  option(some: boolean): void {
    this.u8(some ? 1 : 0);
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#bytes.writeUInt8(whole(value, 0, 0xff), at);
  }

  i8(value: number): void {
    const at = this.#room(1);
    this.#bytes.writeInt8(whole(value, -0x80, 0x7f), at);
  }

  u16(value: number): void {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(whole(value, 0, 0xffff), at);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(whole(value, 0, 0xffff_ffff), at);
  }

  i32(value: number): void {
    const at = this.#room(4);
    this.#bytes.writeInt32LE(whole(value, -0x8000_0000, 0x7fff_ffff), at);
  }

  u64(value: number): void {
    this.#halves(whole(value, 0, Number.MAX_SAFE_INTEGER));
  }

  i64(value: number): void {
    this.#halves(whole(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
  }

  bits64(value: bigint): void {
    const at = this.#room(8);
    this.#bytes.writeBigUInt64LE(value, at);
  }

  text(value: string): void {
    if (typeof value !== 'string') {
      throw new EncodeError(`${String(value)} is not a text`);
    }
    const length = Buffer.byteLength(value);
    this.u64(length);
    const at = this.#room(length);
    this.#bytes.write(value, at, length, 'utf8');
  }

  bytes(value: Uint8Array): void {
    this.u64(value.length);
    this.byteArray(value, value.length);
  }

  /** Exactly this many bytes. */
  byteArray(value: Uint8Array, length: number): void {
    if (value.length !== length) {
      throw new EncodeError(`${value.length} bytes given where ${length} belong`);
    }
    const at = this.#room(length);
    this.#bytes.set(value, at);
  }

  /** A variant's number. */
  tag<T extends string>(type: string, tags: Readonly<Record<T, number>>, name: T): number {
    if (!Object.hasOwn(tags, name)) {
      throw new EncodeError(`${type} cannot be ${name}; it is one of ${Object.keys(tags).join(', ')}`);
    }
    return tags[name];
  }

  /** There is no such variant. */
  unknown(type: string, value: never): never {
    throw new EncodeError(`${String((value as { type?: unknown }).type)} is no ${type}`);
  }

  /** The frame: its length, then all that was written. */
  frame(): Buffer {
    this.#bytes.writeUInt32LE(this.#at - LENGTH_BYTES, 0);
    // A copy of its own size: a frame may have to wait for long.
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #halves(value: number): void {
    const at = this.#room(8);
    const high = Math.floor(value / 2 ** 32);
    this.#bytes.writeUInt32LE(value - high * 2 ** 32, at);
    this.#bytes.writeInt32LE(high | 0, at + 4);
  }

  #room(bytes: number): number {
    const at = this.#at;
    this.#at = at + bytes;
    if (this.#at > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#at, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}

/** What most messages fit into; a larger one gets a buffer of its own. */
const scratch = Buffer.alloc(16 << 10);

function whole(value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new EncodeError(`${String(value)} is not a whole number from ${min} to ${max}`);
  }
  return value;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A frame's length, before its content. */
export const LENGTH_BYTES = 4;
