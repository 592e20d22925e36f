// RTP parameters as the wire takes them. They were validated: lengths and ranges are the wire's.
import type { RtpMapping } from '../ortc';
import type { RtpCodecParameters, RtpEncodingParameters, RtpParameters } from '../rtp-parameters';
import type {
  CodecParameter,
  RtpCodecParameters as WireCodec,
  RtpEncodingParameters as WireEncoding,
  RtpMapping as WireMapping,
  RtpParameters as WireParameters,
} from '../wire/generated';

/** The wire's form of parameters; `msid` is not for the worker. */
export function parametersToWire(given: RtpParameters): WireParameters {
  return {
    mid: given.mid,
    codecs: given.codecs.map(codecToWire),
    headerExtensions: (given.headerExtensions ?? []).map(({ uri, id, encrypt }) => ({
      uri,
      id,
      encrypt: encrypt ?? false,
    })),
    encodings: (given.encodings ?? []).map(encodingToWire),
    rtcp: { cname: given.rtcp?.cname ?? '', reducedSize: given.rtcp?.reducedSize ?? true },
  };
}

/** The wire's form of a mapping. */
export function mappingToWire({ codecs, encodings }: RtpMapping): WireMapping {
  return {
    codecs,
    encodings: encodings.map(({ ssrc, rid, scalabilityMode, mappedSsrc }) => ({
      ssrc,
      rid,
      scalabilityMode,
      mappedSsrc,
    })),
  };
}

function codecToWire(codec: RtpCodecParameters): WireCodec {
  return {
    mimeType: codec.mimeType,
    payloadType: codec.payloadType,
    clockRate: codec.clockRate,
    channels: codec.channels,
    parameters: Object.entries(codec.parameters ?? {}).map(parameterToWire),
    rtcpFeedback: (codec.rtcpFeedback ?? []).map(({ type, parameter }) => ({
      kind: type,
      parameter: parameter ?? '',
    })),
  };
}

/** Numbers beyond what both sides hold exactly go as their digits. */
function parameterToWire([name, value]: [string, unknown]): CodecParameter {
  return Number.isSafeInteger(value)
    ? { name, value: { type: 'number', value: value as number } }
    : { name, value: { type: 'text', value: String(value) } };
}

function encodingToWire(encoding: RtpEncodingParameters): WireEncoding {
  return {
    ssrc: encoding.ssrc,
    rid: encoding.rid,
    codecPayloadType: encoding.codecPayloadType,
    rtxSsrc: encoding.rtx?.ssrc,
    dtx: encoding.dtx ?? false,
    scalabilityMode: encoding.scalabilityMode,
    maxBitrate: encoding.maxBitrate,
    fecSsrc: encoding.fec?.ssrc,
  };
}
