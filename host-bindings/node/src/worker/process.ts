// A worker's process as the host sees it: from the greeting to the last word.
//
// Knows the process and its pipes. Does not know commands or entities. Called by `createWorker`.
//
// Invariant: whatever happens, the channel ends exactly once, nobody waits on it for ever, and no process outlives this
// host's interest in it by more than `CLOSE_MS`. What is killed was started here.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { Channel } from '../channel/channel';
import { BrokenFraming, FrameReader } from '../channel/frames';
import { Logger } from '../log';
import { version } from '../version';
import { DecodeError, Reader, Writer } from '../wire/bincode';
import {
  ALLOCATOR_ENVIRONMENT,
  type Event,
  EXIT,
  type Hello,
  type LogLevel,
  type LogTag,
  PROTOCOL_VERSION,
  readFromWorker,
  writeToWorker,
} from '../wire/generated';
import { readLines } from './lines';
import { defaultWorkerBin, howToGetOne, PROGRAM } from './locate';
import { commandLine, hostSettings } from './settings';
import { closeOnSignal, forgetOnSignal } from './signals';
import type { WorkerSettings } from './types';

/** Who wants to know how a worker fares. */
export type ProcessOwner = {
  onWorkerEvent: (event: Event) => void;
  /** It ended by itself; `error` says how. Comes once, and not after `close()`. */
  onDied: (error: Error) => void;
  /** This process is told to end. */
  onSignal: () => void;
  /** It is gone, and all that it printed is read. Comes once. */
  onGone: () => void;
};

const logger = new Logger('Worker');

/** A worker's process. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #lastWords: string[] = [];
  /** Set once it greeted. */
  #channel: Channel | undefined;
  #owner: ProcessOwner | undefined;
  /** Why this host killed it. */
  #killedFor: string | undefined;
  #exit: string | undefined;
  #exitCode: number | null = null;
  #closed = false;
  #over = false;
  #gone = false;
  #killTimer: NodeJS.Timeout | undefined;
  readonly #onSignal = () => {
    if (this.#owner) {
      this.#owner.onSignal();
    } else {
      this.close();
    }
  };

  /**
   * Starts a worker and waits for its greeting.
   *
   * @throws TypeError for wrong settings, Error for a program that is not there, does not run or does not greet.
   */
  static async start(settings: WorkerSettings): Promise<WorkerProcess> {
    const { startTimeoutMs, requestTimeoutMs } = hostSettings(settings);
    const started = new WorkerProcess(settings.workerBin ?? defaultWorkerBin(), commandLine(settings));
    await started.#greet(startTimeoutMs, requestTimeoutMs);
    return started;
  }

  private constructor(program: string, settings: string[]) {
    if (
      typeof program !== 'string' ||
      !(fs.statSync(program, { throwIfNoEntry: false })?.isFile() ?? false)
    ) {
      throw new Error(`there is no worker program at ${String(program)}; ${howToGetOne()}`);
    }
    const [variable, value] = ALLOCATOR_ENVIRONMENT;
    const environment = { [variable]: value, ...process.env };
    const options = [...settings, `--control-fds=${READ_FD},${WRITE_FD}`];
    logger.debug(`starting ${program} ${options.join(' ')}`);
    this.#child = spawn(program, options, {
      argv0: PROGRAM,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.#output = this.#child.stdio[READ_FD] as Writable;
    this.#input = this.#child.stdio[WRITE_FD] as Readable;
    closeOnSignal(this.#onSignal);
    if (this.#child.stdout && this.#child.stderr) {
      readLines(this.#child.stdout, (line) => {
        logger.debug(`(stdout) ${line}`);
      });
      readLines(this.#child.stderr, (line) => {
        this.#lastWords.push(line);
        this.#lastWords.splice(0, this.#lastWords.length - LAST_WORDS_MAX);
        logger.error(`(stderr) ${line}`);
      });
    }
    this.#child.on('error', (error) => {
      this.#onExit(`could not be started: ${error.message}`);
      // A process that never was has no exit.
      this.#onGone();
    });
    this.#child.on('exit', (code, signal) => {
      this.#exitCode = code;
      this.#onExit(signal ? `was ended by ${signal}` : `exited with code ${String(code)}${meaning(code)}`);
    });
    this.#child.on('close', () => {
      this.#onGone();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its pipe. There is one as soon as it greeted. */
  get channel(): Channel {
    if (!this.#channel) {
      throw new Error('the worker did not greet yet');
    }
    return this.#channel;
  }

  /** From now on `owner` is told what happens. */
  own(owner: ProcessOwner): void {
    this.#owner = owner;
  }

  /** Closes the pipe: the worker leaves by itself, and is killed should it be there `CLOSE_MS` later. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    forgetOnSignal(this.#onSignal);
    this.#output.destroy();
    this.#input.destroy();
    this.#killIn(CLOSE_MS);
  }

  /** Exchanges greetings; a process that does not greet right is killed. */
  async #greet(startTimeoutMs: number, requestTimeoutMs: number): Promise<void> {
    const frames = new FrameReader();
    const { resolve, reject, promise } = withResolvers<Hello>();
    let greeted = false;
    const onData = (chunk: Buffer) => {
      frames.push(chunk);
      if (greeted) {
        return;
      }
      try {
        const content = frames.next();
        if (content) {
          greeted = true;
          resolve(greeting(content));
        }
      } catch (error) {
        reject(error as Error);
      }
    };
    const onEnd = () => {
      // Its exit says more. If it does not exit, the time-out says so.
      this.#whenOver(() => {
        reject(this.#startFailure());
      });
    };
    const timer = setTimeout(() => {
      const seconds = startTimeoutMs / 1000;
      reject(
        new Error(
          `the worker did not greet within ${seconds} s; is the program a Tidegate worker, is the machine overloaded?`,
        ),
      );
    }, startTimeoutMs);
    this.#input.on('data', onData).once('end', onEnd).once('error', onEnd);
    this.#whenOver(() => {
      reject(this.#startFailure());
    });
    try {
      const hello = await promise;
      logger.debug(`worker ${hello.workerVersion} runs [pid:${this.pid}]`);
    } catch (error) {
      this.#closed = true;
      forgetOnSignal(this.#onSignal);
      this.#child.kill('SIGKILL');
      this.#output.destroy();
      this.#input.destroy();
      logger.error(`the worker could not be started: ${(error as Error).message}`);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#input.off('data', onData).off('end', onEnd);
    }
    this.#channel = this.#open(frames, requestTimeoutMs);
  }

  #open(frames: FrameReader, requestTimeoutMs: number): Channel {
    const writer = new Writer();
    const host = `tidegate-node ${version}`;
    writeToWorker(writer, { type: 'helloReply', value: { protocolVersion: PROTOCOL_VERSION, host } });
    this.#output.write(writer.frame());
    return new Channel(this.#input, this.#output, frames, requestTimeoutMs, {
      onBroken: (cause) => {
        this.#kill(cause);
      },
      onInputEnd: () => {
        // The process is gone, or should be.
        if (this.#exit === undefined) {
          this.#killIn(EXIT_MS);
        }
      },
      onWorkerEvent: (event) => {
        this.#owner?.onWorkerEvent(event);
      },
      onLog: (level, tag, text) => {
        this.#log(level, tag, text);
      },
      whySilent: () => this.#whySilent(),
    });
  }

  #log(level: LogLevel, tag: LogTag, text: string): void {
    const line = `[pid:${this.pid}] ${tag}: ${text}`;
    switch (level) {
      case 'debug':
        logger.debug(line);
        return;
      case 'warn':
        logger.warn(line);
        return;
      case 'error':
      case 'none':
        logger.error(line);
    }
  }

  /** The state of the process, where it explains silence. */
  #whySilent(): string {
    try {
      const stat = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8');
      const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
      if (state === 'T' || state === 't') {
        return `: its process ${this.pid} is stopped; continue it with \`kill -CONT ${this.pid}\`, or close it`;
      }
    } catch {
      // No such file system here, or no such process any more.
    }
    return `; its process ${this.pid} is stuck or has more work than it can do`;
  }

  #kill(cause: string): void {
    if (this.#closed || this.#killedFor !== undefined) {
      return;
    }
    this.#killedFor = cause;
    logger.error(`the worker is killed because ${cause} [pid:${this.pid}]`);
    this.#child.kill('SIGKILL');
  }

  #killIn(milliseconds: number): void {
    this.#killTimer ??= setTimeout(() => {
      this.#child.kill('SIGKILL');
    }, milliseconds).unref();
  }

  #onExit(how: string): void {
    if (this.#exit !== undefined) {
      return;
    }
    this.#exit = how;
    clearTimeout(this.#killTimer);
    this.#output.destroy();
    // Its last messages and words may still be in the pipes: `close` comes when they are read. Only a copy of an end in a
    // process that it started could keep a pipe open.
    setTimeout(() => {
      this.#finish();
    }, DRAIN_MS).unref();
  }

  #finish(): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    this.#overListeners.splice(0).forEach((listener) => {
      listener();
    });
    this.#input.destroy();
    if (!this.#closed) {
      this.#closed = true;
      forgetOnSignal(this.#onSignal);
      this.#owner?.onDied(this.#death());
    }
  }

  readonly #overListeners: (() => void)[] = [];

  #whenOver(listener: () => void): void {
    if (this.#over) {
      listener();
    } else {
      this.#overListeners.push(listener);
    }
  }

  #onGone(): void {
    this.#finish();
    if (!this.#gone) {
      this.#gone = true;
      this.#owner?.onGone();
    }
  }

  #death(): Error {
    const how = this.#killedFor === undefined ? this.#exit : `was killed because ${this.#killedFor}`;
    return new Error(`the worker ${how ?? 'ended'} [pid:${this.pid}]${this.#printed()}`);
  }

  #startFailure(): Error {
    if (this.#exitCode === EXIT.badSettings) {
      return new TypeError(`wrong settings${this.#printed()}`);
    }
    return new Error(`the worker did not greet but ${this.#exit ?? 'closed its pipe'}${this.#printed()}`);
  }

  #printed(): string {
    return this.#lastWords.length > 0 ? `; its last words: ${this.#lastWords.join('\n')}` : '';
  }
}

/** The greeting in a first frame's content, if its version is ours. */
function greeting(content: Buffer): Hello {
  // The first message's tag and version keep their place in every version.
  if (content.length >= 8 && content.readUInt32LE(0) === 0 && content.readUInt32LE(4) !== PROTOCOL_VERSION) {
    throw new Error(
      `the worker speaks protocol version ${content.readUInt32LE(4)}, this host ${PROTOCOL_VERSION}; install worker and host of one version`,
    );
  }
  try {
    const reader = new Reader(content);
    const message = readFromWorker(reader);
    reader.end();
    if (message.type === 'hello') {
      return message.value;
    }
  } catch (error) {
    if (!(error instanceof DecodeError) && !(error instanceof BrokenFraming)) {
      throw error;
    }
  }
  throw new Error('the program did not greet like a Tidegate worker: its first message is no greeting');
}

function meaning(code: number | null): string {
  switch (code) {
    case EXIT.badSettings:
      return ' (bad settings)';
    case EXIT.brokenFraming:
      return ' (broken framing or greeting)';
    case EXIT.badDescriptor:
      return ' (a control descriptor could not be used)';
    case EXIT.internal:
      return ' (internal error)';
    default:
      return '';
  }
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Where the worker reads requests. */
const READ_FD = 3;
/** Where the worker writes answers and events. */
const WRITE_FD = 4;
/** How long a worker may take to leave after its pipe was closed by the host. It promises one second. */
const CLOSE_MS = 2000;
/** How long a worker may take to leave after it closed its pipe itself. */
const EXIT_MS = 1000;
/** How long the pipe of a dead worker is read on: its bytes are there already. */
const DRAIN_MS = 200;
/** Lines: enough for a panic's message and its place. */
const LAST_WORDS_MAX = 8;
