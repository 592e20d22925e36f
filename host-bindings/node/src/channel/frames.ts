// Cuts a stream of bytes into frames: a little-endian 32-bit length and that many bytes.
//
// Knows bytes. Does not know messages. Invariant: room is made for bytes that have arrived only, and a frame's bytes are
// copied once at most.
import { FRAME_BYTES_MAX } from '../wire/generated';
import { LENGTH_BYTES } from '../wire/bincode';

/** A length that no frame has: the stream cannot be followed any more. */
export class BrokenFraming extends Error {
  constructor(length: number) {
    super(`it announced a frame of ${length} bytes, ${FRAME_BYTES_MAX} are the most`);
    this.name = 'BrokenFraming';
  }
}

/** Takes bytes as they come, gives frames. */
export class FrameReader {
  /** What arrived and is not cut yet. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of the first chunk, what is cut off already. */
  #at = 0;

  push(chunk: Buffer): void {
    if (chunk.length > 0) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    }
  }

  /** The next whole frame's content, `undefined` until more bytes come. */
  next(): Buffer | undefined {
    if (this.#bytes < LENGTH_BYTES) {
      return undefined;
    }
    const length = this.#peek(LENGTH_BYTES).readUInt32LE(0);
    if (length > FRAME_BYTES_MAX) {
      throw new BrokenFraming(length);
    }
    if (this.#bytes < LENGTH_BYTES + length) {
      return undefined;
    }
    const frame = this.#peek(LENGTH_BYTES + length);
    this.#drop(LENGTH_BYTES + length);
    return frame.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  }

  /** The first bytes in one piece; there are that many. */
  #peek(bytes: number): Buffer {
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.length - this.#at >= bytes) {
      return first.subarray(this.#at, this.#at + bytes);
    }
    const whole = Buffer.allocUnsafe(bytes);
    let filled = 0;
    let at = this.#at;
    for (const chunk of this.#chunks) {
      filled += chunk.copy(whole, filled, at, at + bytes - filled);
      at = 0;
      if (filled === bytes) {
        break;
      }
    }
    return whole;
  }

  #drop(bytes: number): void {
    this.#bytes -= bytes;
    this.#at += bytes;
    let done = 0;
    for (const chunk of this.#chunks) {
      if (this.#at < chunk.length) {
        break;
      }
      this.#at -= chunk.length;
      done += 1;
    }
    this.#chunks.splice(0, done);
  }
}
