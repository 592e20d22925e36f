// The host's end of the pipe: requests out, their answers and events in, all in order.
//
// Knows frames, request numbers and which entity an event is for. Does not know what entities are, nor processes. Entities
// call `request`, `tell` and `register`; the process calls `end`.
//
// Invariant: `#pending` holds, in the order in which they were sent, exactly the requests that are not answered. So an
// answer always belongs to the first of them, it takes effect before anything that came after it is looked at, and what
// waits for it runs before the next event is told.
import type { Readable, Writable } from 'node:stream';
import { RequestTimeoutError } from '../errors';
import { DecodeError, Reader, Writer } from '../wire/bincode';
import {
  type Command,
  type CommandError,
  type Event,
  type FromWorker,
  type LogLevel,
  type LogTag,
  type Reply,
  readFromWorker,
  writeToWorker,
} from '../wire/generated';
import { refusal } from './errors';
import { FrameReader } from './frames';

/** What the channel cannot do by itself. */
export type ChannelOwner = {
  /** The worker said what nobody expects: it cannot be followed any more. */
  onBroken: (cause: string) => void;
  /** The worker closed its end. */
  onInputEnd: () => void;
  /** An event about no entity. */
  onWorkerEvent: (event: Event) => void;
  onLog: (level: LogLevel, tag: LogTag, text: string) => void;
  /** What else can be said about a worker that does not answer, or nothing. */
  whySilent: () => string;
};

/** Takes the events of one entity. */
export type Target = (event: Event) => void;

/** How a request is to be made. */
export type RequestOptions = {
  /** Undoes it, should it be answered with yes after nobody waited any more. */
  undo?: Command;
};

type Pending = {
  id: number;
  /** When nobody waits any more, by `performance.now()`. */
  deadline: number;
  /** Runs once; undefined when nobody waits. */
  settle: ((reply: Reply | Error) => void) | undefined;
  undo: Command | undefined;
};

/** One worker's pipe, shared by all entities in it. */
export class Channel {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #owner: ChannelOwner;
  readonly #requestTimeoutMs: number;
  readonly #frames: FrameReader;
  readonly #pending = new Queue<Pending>();
  /** Frames that wait for room in the pipe. */
  readonly #waiting = new Queue<Buffer>();
  #waitingBytes = 0;
  #corked = false;
  #lastRequest = 0;
  #lastId = 0;
  #nextSsrc: number;
  readonly #targets = new Map<number, Target>();
  /** Public ids of the entities that are open. */
  readonly #names = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  /** Set when what follows waits for the next turn of the event loop. */
  #later: NodeJS.Immediate | undefined;
  /** The message that waits with it. */
  #held: Buffer | undefined;
  #inputEnded = false;
  /** Why it is closed. */
  #end: Error | undefined;

  /** `frames` may hold bytes already: what came behind the greeting. */
  constructor(
    input: Readable,
    output: Writable,
    frames: FrameReader,
    requestTimeoutMs: number,
    owner: ChannelOwner,
  ) {
    this.#input = input;
    this.#output = output;
    this.#frames = frames;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#owner = owner;
    this.#nextSsrc = Math.floor(Math.random() * SSRCS);
    input.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      this.#read();
    });
    input.on('end', () => {
      this.#inputEnded = true;
      this.#read();
    });
    output.on('drain', () => {
      this.#flush();
    });
    // A broken pipe is seen better on the other side: the worker is gone or going.
    output.on('error', () => undefined);
    input.on('error', () => {
      this.#inputEnded = true;
      this.#read();
    });
    this.#readLater();
  }

  /** Why requests fail at once, `undefined` while the worker is there. */
  get ended(): Error | undefined {
    return this.#end;
  }

  /** A number for a new entity; never used again. */
  newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /**
   * The first of `count` SSRCs in a row, 16 at most, that this worker did not use before (within the last 100 million):
   * they come in order from a random one on, because random ones would collide.
   */
  newSsrcs(count: number): number {
    const first = SSRC_MIN + (this.#nextSsrc % (SSRCS - SSRCS_IN_A_ROW_MAX));
    this.#nextSsrc += Math.min(count, SSRCS_IN_A_ROW_MAX);
    return first;
  }

  /** From now on events about `id` go to `target`, and dumps call it `name`. */
  register(id: number, name: string, target: Target): void {
    this.#targets.set(id, target);
    this.#names.set(id, name);
  }

  /** From now on events about `id` are dropped. */
  forget(id: number): void {
    this.#targets.delete(id);
    this.#names.delete(id);
  }

  /** The public id of an open entity. */
  nameOf(id: number): string | undefined {
    return this.#names.get(id);
  }

  /** The public ids of all open entities. */
  names(): string[] {
    return [...this.#names.values()];
  }

  /** Requests that are not answered, for tests. */
  get pendingForTesting(): number {
    return this.#pending.length;
  }

  /**
   * Asks, and resolves with what `take` makes of the answer. `take` runs on it before anything that came later is looked
   * at; `undefined` from it says that the answer is not one to this request, and what it throws is the rejection.
   */
  async request<T>(
    command: Command,
    take: (reply: Reply) => T | undefined,
    options: RequestOptions = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (reply: Reply | Error) => {
        if (reply instanceof Error) {
          reject(reply);
          return;
        }
        try {
          const taken = take(reply);
          if (taken === undefined) {
            reject(
              new Error(`the worker answered ${reply.type} to ${command.type}; please report this defect`),
            );
          } else {
            resolve(taken);
          }
        } catch (error) {
          // What `take` throws is an Error.
          reject(error);
        }
      };
      this.#submit(command, settle, options.undo);
    });
  }

  /** Asks where a plain yes is the answer; `effect` runs on it. */
  async done(command: Command, effect?: () => void): Promise<void> {
    await this.request(command, (reply) => {
      if (reply.type !== 'done') {
        return undefined;
      }
      effect?.();
      return true;
    });
  }

  /** Asks without caring for the answer: closes. */
  tell(command: Command): void {
    if (!this.#end) {
      try {
        this.#submit(command, undefined, undefined);
      } catch {
        // Too much waits for a worker that does not read. It will be closed, or time out.
      }
    }
  }

  /** No more: every pending and later request fails with `error`, and the pipe closes. */
  end(error: Error): void {
    if (this.#end) {
      return;
    }
    this.#end = error;
    clearTimeout(this.#timer);
    clearImmediate(this.#later);
    this.#targets.clear();
    this.#names.clear();
    this.#waiting.clear();
    this.#output.destroy();
    this.#input.destroy();
    for (let pending = this.#pending.shift(); pending; pending = this.#pending.shift()) {
      pending.settle?.(error);
    }
  }

  #submit(command: Command, settle: Pending['settle'], undo: Command | undefined): void {
    if (this.#end) {
      throw this.#end;
    }
    const id = this.#lastRequest + 1;
    const writer = new Writer();
    writeToWorker(writer, { type: 'request', id, command });
    this.#write(writer.frame());
    this.#lastRequest = id;
    this.#pending.push({ id, deadline: performance.now() + this.#requestTimeoutMs, settle, undo });
    this.#watch();
  }

  #write(frame: Buffer): void {
    if (this.#waitingBytes + frame.length > WAITING_BYTES_MAX) {
      throw new Error(
        `${this.#waitingBytes} bytes of requests wait for the worker, which does not read them; wait for answers before asking for more`,
      );
    }
    if (this.#waiting.length > 0 || this.#output.writableNeedDrain) {
      this.#waiting.push(frame);
      this.#waitingBytes += frame.length;
      return;
    }
    this.#cork();
    this.#output.write(frame);
  }

  #flush(): void {
    this.#cork();
    while (!this.#output.writableNeedDrain) {
      const frame = this.#waiting.shift();
      if (!frame) {
        break;
      }
      this.#waitingBytes -= frame.length;
      this.#output.write(frame);
    }
  }

  /** What is written in one turn leaves in one system call. */
  #cork(): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#output.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#output.uncork();
      });
    }
  }

  /** Sees to it that requests are given up in time. Deadlines come in the order of the requests. */
  #watch(): void {
    if (this.#timer || this.#end) {
      return;
    }
    for (const pending of this.#pending) {
      if (pending.settle) {
        this.#timer = setTimeout(
          () => {
            // Answers that lie here unread count: this host may be the one that was slow.
            setImmediate(() => {
              this.#giveUp();
            });
          },
          Math.max(1, pending.deadline - performance.now()),
        ).unref();
        return;
      }
    }
  }

  #giveUp(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const pending of this.#pending) {
      if (pending.deadline > now) {
        break;
      }
      const { settle } = pending;
      pending.settle = undefined;
      const seconds = this.#requestTimeoutMs / 1000;
      settle?.(
        new RequestTimeoutError(`the worker did not answer within ${seconds} s${this.#owner.whySilent()}`),
      );
    }
    this.#watch();
  }

  /** Reads what is there, in order, and goes on in the next turn where that is due. */
  #read(): void {
    if (this.#later || this.#end) {
      return;
    }
    try {
      this.#readTurn();
    } catch (error) {
      this.#owner.onBroken(
        error instanceof DecodeError
          ? `it sent what is no message (${error.message})`
          : (error as Error).message,
      );
      return;
    }
    if (this.#inputEnded && !this.#later) {
      this.#owner.onInputEnd();
    }
  }

  #readTurn(): void {
    let answered = false;
    for (let count = 0; !this.#ended(); count++) {
      const content = this.#held ?? this.#frames.next();
      this.#held = undefined;
      if (!content) {
        return;
      }
      // Whoever waits for an answer runs before the events that came behind it are told.
      if (count === MESSAGES_IN_A_TURN_MAX || (answered && !isResponse(content))) {
        this.#held = content;
        this.#readLater();
        return;
      }
      answered ||= isResponse(content);
      this.#dispatch(content);
    }
  }

  #readLater(): void {
    this.#later = setImmediate(() => {
      this.#later = undefined;
      this.#read();
    });
  }

  #ended(): boolean {
    return this.#end !== undefined;
  }

  #dispatch(content: Buffer): void {
    const reader = new Reader(content);
    const message: FromWorker = readFromWorker(reader);
    reader.end();
    switch (message.type) {
      case 'response':
        this.#onResponse(message.id, message.result);
        return;
      case 'event':
        this.#onEvent(message.value);
        return;
      case 'log':
        this.#owner.onLog(message.level, message.tag, message.text);
        return;
      case 'hello':
        throw new DecodeError('a second greeting');
    }
  }

  #onResponse(id: number, result: { type: 'ok'; value: Reply } | { type: 'err'; value: CommandError }): void {
    const pending = this.#pending.first();
    if (pending?.id !== id) {
      throw new DecodeError(`an answer to request ${id}, which is not the next one`);
    }
    this.#pending.shift();
    if (pending.settle) {
      pending.settle(result.type === 'ok' ? result.value : refusal(result.value));
    } else if (result.type === 'ok' && pending.undo) {
      this.tell(pending.undo);
    }
    if (this.#pending.length === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  #onEvent(event: Event): void {
    const entity = entityOf(event);
    if (entity === undefined) {
      this.#owner.onWorkerEvent(event);
    } else {
      this.#targets.get(entity)?.(event);
    }
  }
}

/** Whether a frame's content is a response, by its tag. */
function isResponse(content: Buffer): boolean {
  return content.length >= 4 && content.readUInt32LE(0) === RESPONSE_TAG;
}

/** Whom an event is about. */
function entityOf(event: Event): number | undefined {
  if ('observer' in event) {
    return event.observer;
  }
  if ('consumer' in event) {
    return event.consumer;
  }
  if ('transport' in event) {
    return event.transport;
  }
  return 'producer' in event ? event.producer : undefined;
}

/** First in, first out, without moving what is in it at each step. */
class Queue<T> {
  #items: (T | undefined)[] = [];
  #at = 0;

  get length(): number {
    return this.#items.length - this.#at;
  }

  first(): T | undefined {
    return this.#items[this.#at];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#at === this.#items.length) {
      return undefined;
    }
    const item = this.#items[this.#at];
    this.#items[this.#at] = undefined;
    this.#at += 1;
    if (this.#at === this.#items.length) {
      this.clear();
    } else if (this.#at >= COMPACT_ITEMS && this.#at * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#at = 0;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#at; index < this.#items.length; index++) {
      yield this.#items[index] as T;
    }
  }
}

/** The variant of `FromWorker`; a test holds it. */
export const RESPONSE_TAG = 1;
/** SSRCs are chosen as mediasoup does: nine decimal digits, readable in dumps. */
const SSRC_MIN = 100_000_000;
/** How many of them there are. */
const SSRCS = 899_999_999;
/** The most that one entity takes: 16 encodings, or a stream and its retransmissions. */
const SSRCS_IN_A_ROW_MAX = 16;
/** Bytes of requests that wait for the worker to read: 800,000 of the smallest, 10,000 with the parameters of a stream. */
const WAITING_BYTES_MAX = 16 << 20;
/** Then others of this process get their turn. */
const MESSAGES_IN_A_TURN_MAX = 1024;
const COMPACT_ITEMS = 1024;
