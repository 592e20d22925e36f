/**
 * Why parameters or capabilities were refused.
 *
 * Knows a class, the path of the field and a sentence. Does not know the rules. Invariant: `field` is a path into the
 * argument that the caller gave, and the message begins with it.
 */
import { UnsupportedError } from '../errors';

/** What every refusal of negotiation has besides its class: where the input is wrong. */
export type OrtcError = (TypeError | UnsupportedError) & {
  /** For example `rtpParameters.codecs[1].payloadType`. */
  readonly field: string;
};

/** The input contradicts itself or its rules at `field`. */
export function invalid(field: string, message: string): OrtcError {
  return Object.assign(new TypeError(`${field}: ${message}`), { field });
}

/** What `field` asks for is right in itself and not to be had here. */
export function unsupported(field: string, message: string): OrtcError {
  return Object.assign(new UnsupportedError(`${field}: ${message}`), { field });
}
