/**
 * Writes what was read back into what was given: defaults where a field is absent, one form where there are several.
 *
 * Knows which fields have defaults. Checks nothing: what is written has been read from the same object. Keys that are
 * not ours stay.
 */
import type { RtpCapabilities, RtpParameters } from '../rtp-parameters';
import type { Capabilities, Codec, Parameterized } from './dictionary';
import { channelsOf } from './matching';

/** Fills `given` with the defaults of `read`, which is what it says. */
export function normalizeCapabilities(given: RtpCapabilities, read: Capabilities): void {
  given.codecs ??= [];
  given.headerExtensions ??= [];
  for (const [index, codec] of given.codecs.entries()) {
    normalizeCodec(codec, read.codecs[index]);
  }
  for (const [index, extension] of given.headerExtensions.entries()) {
    Object.assign(extension, read.headerExtensions[index]);
  }
}

/** Fills `given` with the defaults of `read`, which is what it says. */
export function normalizeParameters(given: RtpParameters, read: Parameterized): void {
  given.headerExtensions ??= [];
  given.encodings ??= [];
  given.rtcp ??= {};
  for (const [index, codec] of given.codecs.entries()) {
    normalizeCodec(codec, read.codecs[index]);
  }
  for (const [index, extension] of given.headerExtensions.entries()) {
    Object.assign(extension, read.headerExtensions[index]);
    extension.parameters ??= {};
  }
  for (const [index, encoding] of given.encodings.entries()) {
    Object.assign(encoding, read.encodings[index]);
  }
  Object.assign(given.rtcp, read.rtcp);
}

/** Audio has channels, one where it does not say; video has none. */
function normalizeCodec(given: object & { channels?: number }, read: Codec | undefined): void {
  if (read) {
    Object.assign(given, read);
    const channels = channelsOf(read);
    if (channels === undefined) {
      delete given.channels;
    } else {
      given.channels = channels;
    }
  }
}
