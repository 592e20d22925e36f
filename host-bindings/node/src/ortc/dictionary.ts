/**
 * Reads what an application gave into the dictionaries of ORTC with every default filled in.
 *
 * Knows fields, their types and defaults. Checks nothing else: `validate` does. Called by every function of `ortc` on
 * its arguments. Invariant: what was read shares nothing with what was given, and has no other keys than ours.
 */
import type { MediaKind, RtpHeaderExtensionDirection } from '../rtp-parameters';
import { invalid } from './error';
import { CODECS_MAX, ENCODINGS_MAX, ID_BYTES_MAX } from './limits';
import { checkLength, checkText, sameName } from './text';
import { nameOf, type Parameters, readValue, wellFormed } from './value';

/** RTCP feedback of a codec. */
export type Feedback = { type: string; parameter: string };

/** What capabilities and parameters of a codec have in common. */
export type Codec = {
  mimeType: string;
  clockRate: number;
  channels?: number;
  parameters: Parameters;
  rtcpFeedback: Feedback[];
};

/** One codec with its payload type. */
export type CodecParameters = Codec & { payloadType: number };

/** A codec that a router or an endpoint can do. */
export type CodecCapability = Codec & { kind: MediaKind; preferredPayloadType?: number };

/** A header extension that a router or an endpoint can do. */
export type ExtensionCapability = {
  kind: MediaKind;
  uri: string;
  preferredId: number;
  preferredEncrypt: boolean;
  direction: RtpHeaderExtensionDirection;
};

/** What a router or an endpoint can do. */
export type Capabilities = { codecs: CodecCapability[]; headerExtensions: ExtensionCapability[] };

/** One header extension in use. */
export type ExtensionParameters = { uri: string; id: number; encrypt: boolean };

/** One stream. */
export type EncodingParameters = {
  ssrc?: number;
  rid?: string;
  codecPayloadType?: number;
  rtx?: { ssrc: number };
  fec?: { ssrc: number };
  dtx: boolean;
  scalabilityMode?: string;
  maxBitrate?: number;
};

/** What a producer sends or a consumer receives. */
export type Parameterized = {
  mid?: string;
  msid?: string;
  codecs: CodecParameters[];
  headerExtensions: ExtensionParameters[];
  encodings: EncodingParameters[];
  rtcp: { cname?: string; reducedSize: boolean };
};

/** How a producer's numbers translate into the router's. */
export type RtpMapping = {
  /** One entry a codec of the producer, RTX included; 64 at most. */
  codecs: {
    /** As the producer sends it. */
    payloadType: number;
    /** As the router's consumers see it. */
    mappedPayloadType: number;
  }[];
  /** One entry an encoding of the producer, in order; 16 at most. */
  encodings: {
    /** The encoding's SSRC, when signalled. */
    ssrc?: number;
    /** The encoding's RID, when signalled. */
    rid?: string;
    /** For example `L1T3`. */
    scalabilityMode?: string;
    /** Stands for the encoding inside the router. */
    mappedSsrc: number;
  }[];
};

/** Whether this is a retransmission format (RFC 4588): the subtype is `rtx`. */
export function isRtx(codec: { mimeType: string }): boolean {
  const slash = codec.mimeType.indexOf('/');
  return slash > 0 && sameName(codec.mimeType.slice(slash + 1), 'rtx');
}

/** Whether this is redundant audio (RFC 2198). */
export function isRed(codec: { mimeType: string }): boolean {
  return sameName(codec.mimeType, 'audio/red');
}

/** Whether this is forward error correction on a stream of its own (FlexFEC-03). */
export function isFec(codec: { mimeType: string }): boolean {
  return sameName(codec.mimeType, 'video/flexfec-03');
}

/** Whether it is sent for its own sake, not to repair another. */
export function isMedia(codec: { mimeType: string }): boolean {
  return !isRtx(codec) && !isFec(codec);
}

/** Reads `RtpCapabilities`. */
export function readCapabilities(value: unknown, root: string): Capabilities {
  const given = object(value, root);
  return {
    codecs: list(given.codecs, `${root}.codecs`, readCodecCapability),
    headerExtensions: list(given.headerExtensions, `${root}.headerExtensions`, readExtensionCapability),
  };
}

/** Reads `RtpParameters`. */
export function readParameters(value: unknown, root: string): Parameterized {
  const given = object(value, root);
  if (given.codecs === undefined) {
    throw invalid(`${root}.codecs`, 'there is no list of codecs; give at least one codec');
  }
  return {
    ...optional('mid', given.mid, `${root}.mid`, text),
    ...optional('msid', given.msid, `${root}.msid`, text),
    codecs: list(given.codecs, `${root}.codecs`, readCodecParameters),
    headerExtensions: list(given.headerExtensions, `${root}.headerExtensions`, readExtensionParameters),
    encodings: list(given.encodings, `${root}.encodings`, readEncoding),
    rtcp: readRtcp(given.rtcp, `${root}.rtcp`),
  };
}

/** Reads the list of media codecs that a router is wanted to have. */
export function readMediaCodecs(value: unknown, root: string): CodecCapability[] {
  return list(value, root, readCodecCapability);
}

/** Reads `RtpMapping`, which is the wire's and has its limits. */
export function readMapping(value: unknown, root: string): RtpMapping {
  const given = object(value, root);
  if (given.codecs === undefined || given.encodings === undefined) {
    throw invalid(
      root,
      'the lists codecs and encodings are wanted; pass what getProducerRtpParametersMapping() made',
    );
  }
  const mapping = {
    codecs: list(given.codecs, `${root}.codecs`, readCodecMapping),
    encodings: list(given.encodings, `${root}.encodings`, readEncodingMapping),
  };
  checkLength(mapping.codecs.length, CODECS_MAX, `${root}.codecs`);
  checkLength(mapping.encodings.length, ENCODINGS_MAX, `${root}.encodings`);
  return mapping;
}

/** Reads a media kind. */
export function readKind(value: unknown, field: string): MediaKind {
  if (value === 'audio' || value === 'video') {
    return value;
  }
  throw invalid(field, `${shown(value)} is no kind of media; give 'audio' or 'video'`);
}

/** Reads a flag that must be given. */
export function flag(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') {
    return value;
  }
  throw invalid(field, `${shown(value)} is neither true nor false; give one of the two`);
}

/** Reads a flag that may be absent. */
export function flagOr(value: unknown, absent: boolean, field: string): boolean {
  return value === undefined ? absent : flag(value, field);
}

/** Reads a text. */
export function text(value: unknown, field: string): string {
  if (typeof value === 'string') {
    return wellFormed(value, field);
  }
  throw invalid(field, `a text is wanted, not ${nameOf(value)}; give a string`);
}

/** Reads a number of 32 bits, for example an SSRC. */
export function word(value: unknown, field: string): number {
  return whole(value, 0xffff_ffff, field);
}

/** Reads an object whose keys are fields. */
export function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalid(field, `an object is wanted, not ${nameOf(value)}; give one with the fields of its type`);
}

/** Reads a field that may be absent (or null): an object with it, or without anything. */
export function optional<Key extends string, Value>(
  key: Key,
  value: unknown,
  field: string,
  read: (value: unknown, field: string) => Value,
): { [key in Key]?: Value } {
  const result: { [key in Key]?: Value } = {};
  if (value !== undefined && value !== null) {
    result[key] = read(value, field);
  }
  return result;
}

function readCodec(given: Record<string, unknown>, field: string): Codec {
  return {
    mimeType: text(given.mimeType, `${field}.mimeType`),
    clockRate: word(given.clockRate, `${field}.clockRate`),
    ...optional('channels', given.channels, `${field}.channels`, byte),
    parameters: readFormat(given.parameters, `${field}.parameters`),
    rtcpFeedback: list(given.rtcpFeedback, `${field}.rtcpFeedback`, readFeedback),
  };
}

function readCodecParameters(value: unknown, field: string): CodecParameters {
  const given = object(value, field);
  const payloadType = byte(given.payloadType, `${field}.payloadType`);
  return { ...readCodec(given, field), payloadType };
}

function readCodecCapability(value: unknown, field: string): CodecCapability {
  const given = object(value, field);
  return {
    kind: readKind(given.kind, `${field}.kind`),
    ...readCodec(given, field),
    ...optional('preferredPayloadType', given.preferredPayloadType, `${field}.preferredPayloadType`, byte),
  };
}

function readFormat(value: unknown, field: string): Parameters {
  if (value === undefined) {
    return {};
  }
  const entries = Object.entries(object(value, field));
  // Not by assignment: a parameter may be called `__proto__`.
  return Object.fromEntries(
    entries.map(([name, value]) => [
      wellFormed(name, `${field}[...]`),
      readValue(value, `${field}.${name.slice(0, 64)}`),
    ]),
  );
}

function readFeedback(value: unknown, field: string): Feedback {
  const given = object(value, field);
  return {
    type: text(given.type, `${field}.type`),
    parameter: given.parameter === undefined ? '' : text(given.parameter, `${field}.parameter`),
  };
}

function readCodecMapping(value: unknown, field: string): RtpMapping['codecs'][number] {
  const given = object(value, field);
  return {
    payloadType: byte(given.payloadType, `${field}.payloadType`),
    mappedPayloadType: byte(given.mappedPayloadType, `${field}.mappedPayloadType`),
  };
}

function readEncodingMapping(value: unknown, field: string): RtpMapping['encodings'][number] {
  const given = object(value, field);
  return {
    ...optional('ssrc', given.ssrc, `${field}.ssrc`, word),
    ...optional('rid', given.rid, `${field}.rid`, identifier),
    ...optional('scalabilityMode', given.scalabilityMode, `${field}.scalabilityMode`, identifier),
    mappedSsrc: word(given.mappedSsrc, `${field}.mappedSsrc`),
  };
}

/** A text that the wire takes for a name. */
function identifier(value: unknown, field: string): string {
  const read = text(value, field);
  checkText(read, ID_BYTES_MAX, field);
  return read;
}

function readExtensionCapability(value: unknown, field: string): ExtensionCapability {
  const given = object(value, field);
  return {
    kind: readKind(given.kind, `${field}.kind`),
    uri: text(given.uri, `${field}.uri`),
    preferredId: byte(given.preferredId, `${field}.preferredId`),
    preferredEncrypt: flagOr(given.preferredEncrypt, false, `${field}.preferredEncrypt`),
    direction: readDirection(given.direction, `${field}.direction`),
  };
}

function readDirection(value: unknown, field: string): RtpHeaderExtensionDirection {
  switch (value) {
    case undefined:
      return 'sendrecv';
    case 'sendrecv':
    case 'sendonly':
    case 'recvonly':
    case 'inactive':
      return value;
    default:
      throw invalid(field, `${shown(value)} is no direction; give sendrecv, sendonly, recvonly or inactive`);
  }
}

function readExtensionParameters(value: unknown, field: string): ExtensionParameters {
  const given = object(value, field);
  return {
    uri: text(given.uri, `${field}.uri`),
    id: byte(given.id, `${field}.id`),
    encrypt: flagOr(given.encrypt, false, `${field}.encrypt`),
  };
}

function readEncoding(value: unknown, field: string): EncodingParameters {
  const given = object(value, field);
  return {
    ...optional('ssrc', given.ssrc, `${field}.ssrc`, word),
    ...optional('rid', given.rid, `${field}.rid`, text),
    ...optional('codecPayloadType', given.codecPayloadType, `${field}.codecPayloadType`, byte),
    ...optional('rtx', given.rtx, `${field}.rtx`, readStream),
    ...optional('fec', given.fec, `${field}.fec`, readStream),
    dtx: flagOr(given.dtx, false, `${field}.dtx`),
    ...optional('scalabilityMode', given.scalabilityMode, `${field}.scalabilityMode`, text),
    ...optional('maxBitrate', given.maxBitrate, `${field}.maxBitrate`, bitrate),
  };
}

function readStream(value: unknown, field: string): { ssrc: number } {
  return { ssrc: word(object(value, field).ssrc, `${field}.ssrc`) };
}

function readRtcp(value: unknown, root: string): { cname?: string; reducedSize: boolean } {
  const given = value === undefined ? {} : object(value, root);
  const cname = given.cname === undefined ? '' : text(given.cname, `${root}.cname`);
  const reducedSize = flagOr(given.reducedSize, true, `${root}.reducedSize`);
  return cname === '' ? { reducedSize } : { cname, reducedSize };
}

function list<Item>(value: unknown, root: string, read: (value: unknown, field: string) => Item): Item[] {
  if (value === undefined) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw invalid(root, `a list is wanted, not ${nameOf(value)}; give an array, or leave it out`);
  }
  return Array.from(value, (item: unknown, index) => read(item, `${root}[${index}]`));
}

function byte(value: unknown, field: string): number {
  return whole(value, 0xff, field);
}

/** 64 bits, as far as numbers of JavaScript are whole. */
function bitrate(value: unknown, field: string): number {
  return whole(value, 18_446_744_073_709_549_568, field);
}

function whole(value: unknown, max: number, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) {
    return value || 0; // Not -0.
  }
  throw invalid(field, `${shown(value)} is not a whole number from 0 to ${max}; give one`);
}

/** A wrong value in a sentence, short whatever it is. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value.slice(0, 32)}'`;
  }
  return typeof value === 'number' ? String(value) : nameOf(value);
}
