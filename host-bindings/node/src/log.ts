// Where log lines go: to the listeners that the application set, and nowhere else.
//
// Knows levels and namespaces. Called by everything. Invariant: what a listener throws stays its own.

/** Takes log lines. `namespace` is `tidegate`, `:WARN` or `:ERROR` for these levels, and the part that speaks. */
export type LogEventListeners = {
  ondebug?: (namespace: string, log: string) => void;
  onwarn?: (namespace: string, log: string) => void;
  onerror?: (namespace: string, log: string, error?: Error) => void;
};

let listeners: LogEventListeners = {};

/** Sends log lines to these functions from now on, to none without an argument. */
export function setLogEventListeners(given?: LogEventListeners): void {
  listeners = { ...given };
}

/** The log of one part. */
export class Logger {
  readonly #part: string;

  constructor(part: string) {
    this.#part = part;
  }

  debug(log: string): void {
    quietly(() => listeners.ondebug?.(`tidegate:${this.#part}`, log));
  }

  warn(log: string): void {
    quietly(() => listeners.onwarn?.(`tidegate:WARN:${this.#part}`, log));
  }

  error(log: string, error?: Error): void {
    quietly(() => listeners.onerror?.(`tidegate:ERROR:${this.#part}`, log, error));
  }
}

function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // There is no log for the failures of the log.
  }
}
