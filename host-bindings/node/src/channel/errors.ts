// The worker's refusals as the error classes that applications know.
import { InvalidStateError, NotFoundError, UnsupportedError } from '../errors';
import type { CommandError } from '../wire/generated';

/** The error that a refused request rejects with. */
export function refusal({ kind, message }: CommandError): Error {
  switch (kind) {
    case 'malformed':
    case 'invalidArgument':
      return new TypeError(message);
    case 'notFound':
      return new NotFoundError(message);
    case 'invalidState':
      return new InvalidStateError(message);
    case 'unsupported':
      return new UnsupportedError(message);
    case 'duplicate':
    case 'bindFailed':
    case 'limitReached':
    case 'internal':
      return new Error(message);
  }
}
