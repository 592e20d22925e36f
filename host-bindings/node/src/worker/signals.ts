// Closes this host's workers when the host is told to end.
//
// A terminal's Ctrl-C reaches the workers too, and they leave: without this they would seem to have died. Invariant: a
// signal that nobody else listens to does to this process what it did before.
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const closers = new Set<() => void>();

/** From now on `close` is called when a signal ends this process. */
export function closeOnSignal(close: () => void): void {
  if (closers.size === 0) {
    SIGNALS.forEach((signal) => process.on(signal, onSignal));
  }
  closers.add(close);
}

/** Not any more. */
export function forgetOnSignal(close: () => void): void {
  if (closers.delete(close) && closers.size === 0) {
    SIGNALS.forEach((signal) => process.off(signal, onSignal));
  }
}

function onSignal(signal: NodeJS.Signals): void {
  const alone = process.listenerCount(signal) === 1;
  for (const close of [...closers]) {
    forgetOnSignal(close);
    close();
  }
  if (alone) {
    // All listeners are gone by now, so that the signal does what it does by default.
    process.kill(process.pid, signal);
  }
}
