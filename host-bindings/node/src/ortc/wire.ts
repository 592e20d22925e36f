/**
 * The dictionary's parameters as the wire's, and back.
 *
 * Knows both forms. Checks nothing: validation has, and the wire's code holds its limits again. Invariant: what goes
 * there and comes back is equal, but for `msid`, which the worker is not told, and for numbers beyond 2^53, which go as
 * their digits.
 */
import type { RtpParameters } from '../rtp-parameters';
import { LENGTH_BYTES, Writer } from '../wire/bincode';
import * as wire from '../wire/generated';
import {
  type CodecParameters,
  type EncodingParameters,
  type Parameterized,
  readMapping,
  readParameters,
  type RtpMapping,
} from './dictionary';
import { sortedNames } from './text';
import { parameter, type ParameterValue } from './value';

/** The wire's form of parameters that have been validated. */
export function toWire(params: RtpParameters): wire.RtpParameters {
  const { mid, codecs, headerExtensions, encodings, rtcp } = readParameters(params, 'rtpParameters');
  return {
    mid,
    codecs: codecs.map(codecToWire),
    headerExtensions,
    encodings: encodings.map(encodingToWire),
    rtcp: { cname: rtcp.cname ?? '', reducedSize: rtcp.reducedSize },
  };
}

/** The dictionary's form of what a worker said. Of format parameters that share a name the first counts. */
export function fromWire(params: wire.RtpParameters): RtpParameters {
  const { cname, reducedSize } = params.rtcp;
  const parameters: Parameterized = {
    ...(params.mid === undefined ? {} : { mid: params.mid }),
    codecs: params.codecs.map(codecFromWire),
    headerExtensions: params.headerExtensions,
    encodings: params.encodings.map(encodingFromWire),
    rtcp: cname === '' ? { reducedSize } : { cname, reducedSize },
  };
  return parameters;
}

/** The wire's form of a mapping. */
export function mappingToWire(rtpMapping: RtpMapping): wire.RtpMapping {
  const { codecs, encodings } = readMapping(rtpMapping, 'rtpMapping');
  const absent = { ssrc: undefined, rid: undefined, scalabilityMode: undefined };
  return { codecs, encodings: encodings.map((encoding) => ({ ...absent, ...encoding })) };
}

/**
 * A mapping's bytes as the worker reads them.
 *
 * @throws TypeError names the field that the wire does not take.
 */
export function serializeRtpMapping(rtpMapping: RtpMapping): Buffer {
  const writer = new Writer();
  wire.writeRtpMapping(writer, mappingToWire(rtpMapping));
  return writer.frame().subarray(LENGTH_BYTES);
}

function codecToWire(codec: CodecParameters): wire.RtpCodecParameters {
  return {
    mimeType: codec.mimeType,
    payloadType: codec.payloadType,
    clockRate: codec.clockRate,
    channels: codec.channels,
    parameters: sortedNames(codec.parameters).map((name) => ({
      name,
      value: valueToWire(parameter(codec.parameters, name) ?? ''),
    })),
    rtcpFeedback: codec.rtcpFeedback.map(({ type, parameter }) => ({ kind: type, parameter })),
  };
}

function valueToWire(value: ParameterValue): wire.ParameterValue {
  return Number.isSafeInteger(value)
    ? { type: 'number', value: Number(value) }
    : { type: 'text', value: String(value) };
}

function codecFromWire(codec: wire.RtpCodecParameters): CodecParameters {
  // Later entries would replace earlier ones.
  const parameters = codec.parameters.map(({ name, value }) => [name, value.value] as const).reverse();
  return {
    mimeType: codec.mimeType,
    payloadType: codec.payloadType,
    clockRate: codec.clockRate,
    ...(codec.channels === undefined ? {} : { channels: codec.channels }),
    parameters: Object.fromEntries(parameters),
    rtcpFeedback: codec.rtcpFeedback.map(({ kind, parameter }) => ({ type: kind, parameter })),
  };
}

function encodingToWire(encoding: EncodingParameters): wire.RtpEncodingParameters {
  const { ssrc, rid, codecPayloadType, rtx, dtx, scalabilityMode, maxBitrate, fec } = encoding;
  return {
    ssrc,
    rid,
    codecPayloadType,
    rtxSsrc: rtx?.ssrc,
    dtx,
    scalabilityMode,
    maxBitrate: maxBitrate === undefined ? undefined : Math.min(maxBitrate, Number.MAX_SAFE_INTEGER),
    fecSsrc: fec?.ssrc,
  };
}

function encodingFromWire(encoding: wire.RtpEncodingParameters): EncodingParameters {
  const { ssrc, rid, codecPayloadType, rtxSsrc, dtx, scalabilityMode, maxBitrate, fecSsrc } = encoding;
  return {
    ...(ssrc === undefined ? {} : { ssrc }),
    ...(rid === undefined ? {} : { rid }),
    ...(codecPayloadType === undefined ? {} : { codecPayloadType }),
    ...(rtxSsrc === undefined ? {} : { rtx: { ssrc: rtxSsrc } }),
    ...(fecSsrc === undefined ? {} : { fec: { ssrc: fecSsrc } }),
    dtx,
    ...(scalabilityMode === undefined ? {} : { scalabilityMode }),
    ...(maxBitrate === undefined ? {} : { maxBitrate }),
  };
}
