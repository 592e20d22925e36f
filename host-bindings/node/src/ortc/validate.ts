/**
 * What capabilities and parameters must be to make sense, whoever wrote them.
 *
 * Knows the rules that need no second party: limits, ranges, what may occur once, what must name what. Does not know
 * what a router supports. Called by every function of `ortc` on what it read. Invariant: lists are measured before they
 * are walked.
 *
 * More than mediasoup checks in its host: what its worker would refuse later is refused here, with the field's name. As
 * there, a scalability mode that is no such text is tolerated; it means one layer.
 */
import type { MediaKind } from '../rtp-parameters';
import {
  type Capabilities,
  type CodecCapability,
  type CodecParameters,
  type EncodingParameters,
  type ExtensionCapability,
  type ExtensionParameters,
  type Feedback,
  isFec,
  isMedia,
  isRed,
  isRtx,
  type Parameterized,
} from './dictionary';
import { invalid, unsupported } from './error';
import {
  CAPABILITY_CODECS_MAX,
  CAPABILITY_EXTENSIONS_MAX,
  CNAME_BYTES_MAX,
  CODEC_PARAMETERS_MAX,
  CODECS_MAX,
  ENCODINGS_MAX,
  EXTENSIONS_MAX,
  FEEDBACK_BYTES_MAX,
  FEEDBACK_MAX,
  ID_BYTES_MAX,
  NAME_BYTES_MAX,
  URI_BYTES_MAX,
  VALUE_BYTES_MAX,
} from './limits';
import { kindOf } from './mime';
import { blockPayloadTypes, NotBlocks } from './red';
import { parseScalabilityMode } from './scalability-mode';
import { advice, isKnown } from './supported';
import { checkLength, checkText, clipped, lower, sortedNames } from './text';
import { number, parameter, type Parameters } from './value';

/** Payload types from here on mean nothing by themselves (RFC 3551 6). */
const FIRST_DYNAMIC = 96;

/** Checks what a producer of `kind` sends, or a consumer receives. The kind of the first codec's where none is given. */
export function validateParameters(kind: MediaKind | undefined, parameters: Parameterized): void {
  const root = 'rtpParameters';
  checkLists(parameters, root);
  if (parameters.mid === '') {
    throw invalid(`${root}.mid`, 'the MID is empty; leave it out or give one');
  }
  validateCodecs(kind ?? kindOf(parameters.codecs[0]?.mimeType ?? ''), parameters.codecs);
  validateExtensions(parameters.headerExtensions);
  validateEncodings(parameters);
  // The rest of what the wire limits.
  checkText(parameters.mid, ID_BYTES_MAX, `${root}.mid`);
  for (const [index, encoding] of parameters.encodings.entries()) {
    checkText(encoding.rid, ID_BYTES_MAX, `${root}.encodings[${index}].rid`);
    checkText(encoding.scalabilityMode, ID_BYTES_MAX, `${root}.encodings[${index}].scalabilityMode`);
  }
  checkText(parameters.rtcp.cname, CNAME_BYTES_MAX, `${root}.rtcp.cname`);
}

/**
 * Checks what an endpoint or a router (the caller calls it `root`) says that it can do. Codecs and extensions that this
 * project does not know are fine: endpoints list all that they have. So is RTX without `apt`, as browsers list it.
 */
export function validateCapabilities(capabilities: Capabilities, root: string): void {
  checkLength(capabilities.codecs.length, CAPABILITY_CODECS_MAX, `${root}.codecs`);
  checkLength(capabilities.headerExtensions.length, CAPABILITY_EXTENSIONS_MAX, `${root}.headerExtensions`);
  const names = new Map<number, string>();
  for (const [index, codec] of capabilities.codecs.entries()) {
    const field = `${root}.codecs[${index}]`;
    validateCodecCapability(codec, field);
    const payloadType = codec.preferredPayloadType;
    if (payloadType === undefined) {
      continue;
    }
    // Static payload types (RFC 3551) stand for a name at every clock rate: CN has 13 at three.
    const name = lower(codec.mimeType);
    const earlier = names.get(payloadType);
    if (earlier !== undefined && (earlier !== name || payloadType >= FIRST_DYNAMIC)) {
      throw invalid(
        `${field}.preferredPayloadType`,
        `payload type ${payloadType} is given twice; give each codec its own`,
      );
    }
    names.set(payloadType, name);
  }
  validateExtensionCapabilities(capabilities.headerExtensions, `${root}.headerExtensions`);
}

/** Checks one codec of capabilities, or one that a router is wanted to have. */
export function validateCodecCapability(codec: CodecCapability, field: string): void {
  if (mimeKind(codec.mimeType, `${field}.mimeType`) !== codec.kind) {
    throw invalid(`${field}.kind`, `kind ${codec.kind} does not fit ${codec.mimeType}; make them agree`);
  }
  if (codec.preferredPayloadType !== undefined) {
    validatePayloadType(codec.preferredPayloadType, `${field}.preferredPayloadType`);
  }
  validateClockAndChannels(codec, field);
  validateFormat(codec.parameters, `${field}.parameters`);
  validateFeedback(codec.rtcpFeedback, `${field}.rtcpFeedback`);
}

/** Measures consumable parameters, which the caller calls `root`, before they are walked. */
export function validateConsumable(consumable: Parameterized, root: string): void {
  checkLists(consumable, root);
  if (consumable.encodings.length === 0) {
    throw invalid(`${root}.encodings`, 'there is no encoding; pass what getConsumableRtpParameters() made');
  }
}

function checkLists(parameters: Parameterized, root: string): void {
  checkLength(parameters.codecs.length, CODECS_MAX, `${root}.codecs`);
  checkLength(parameters.headerExtensions.length, EXTENSIONS_MAX, `${root}.headerExtensions`);
  checkLength(parameters.encodings.length, ENCODINGS_MAX, `${root}.encodings`);
}

function validateExtensionCapabilities(extensions: readonly ExtensionCapability[], root: string): void {
  // An endpoint lists an extension once a kind, with one id.
  const seen = new Set<string>();
  for (const [index, { kind, uri, preferredId }] of extensions.entries()) {
    const field = `${root}[${index}]`;
    validateUri(uri, `${field}.uri`);
    validateExtensionId(preferredId, `${field}.preferredId`);
    if (!isNew(seen, `${kind} uri ${uri}`)) {
      throw invalid(`${field}.uri`, `${uri} is given twice for ${kind}; give it once`);
    }
    if (!isNew(seen, `${kind} id ${preferredId}`)) {
      throw invalid(
        `${field}.preferredId`,
        `id ${preferredId} is given twice for ${kind}; give each extension its own`,
      );
    }
  }
}

function validateCodecs(kind: MediaKind | undefined, codecs: readonly CodecParameters[]): void {
  const payloadTypes = new Set<number>();
  for (const [index, codec] of codecs.entries()) {
    const field = `rtpParameters.codecs[${index}]`;
    validateCodec(kind, codec, field);
    if (!isNew(payloadTypes, codec.payloadType)) {
      throw invalid(
        `${field}.payloadType`,
        `payload type ${codec.payloadType} is used twice; give each codec its own`,
      );
    }
  }
  const media = mediaPayloadTypes(codecs);
  if (media.size === 0) {
    throw invalid('rtpParameters.codecs', 'there is no media codec; give at least one besides RTX and FEC');
  }
  for (const [index, codec] of codecs.entries()) {
    const blocks = isRed(codec) ? blockPayloadTypes(codec, codecs) : undefined;
    if (blocks instanceof NotBlocks) {
      throw invalid(`rtpParameters.codecs[${index}].parameters`, blocks.message);
    }
  }
  for (const [index, codec] of codecs.entries()) {
    const apt = number(parameter(codec.parameters, 'apt'));
    if (isRtx(codec) && (apt === undefined || !media.has(apt))) {
      throw invalid(
        `rtpParameters.codecs[${index}].parameters.apt`,
        `RTX payload type ${codec.payloadType} needs a parameter apt that is the payload type of a media codec`,
      );
    }
  }
}

function validateCodec(kind: MediaKind | undefined, codec: CodecParameters, field: string): void {
  const { mimeType } = codec;
  if (mimeKind(mimeType, `${field}.mimeType`) !== kind) {
    throw invalid(`${field}.mimeType`, `${mimeType} does not fit kind ${kind}; use a codec of that kind`);
  }
  validatePayloadType(codec.payloadType, `${field}.payloadType`);
  validateClockAndChannels(codec, field);
  validateFormat(codec.parameters, `${field}.parameters`);
  validateFeedback(codec.rtcpFeedback, `${field}.rtcpFeedback`);
  if (!isRtx(codec) && !isKnown(mimeType)) {
    const more = advice(mimeType) ?? 'is not known here; leave it out';
    throw unsupported(`${field}.mimeType`, `${mimeType} ${more}`);
  }
}

function validateExtensions(extensions: readonly ExtensionParameters[]): void {
  const ids = new Set<number>();
  const uris = new Set<string>();
  for (const [index, { uri, id, encrypt }] of extensions.entries()) {
    const field = `rtpParameters.headerExtensions[${index}]`;
    validateUri(uri, `${field}.uri`);
    validateExtensionId(id, `${field}.id`);
    if (encrypt) {
      throw unsupported(
        `${field}.encrypt`,
        'encrypted header extensions (RFC 6904) are not supported; negotiate it without encryption',
      );
    }
    if (!isNew(ids, id)) {
      throw invalid(`${field}.id`, `id ${id} is used twice; give each extension its own`);
    }
    if (!isNew(uris, uri)) {
      throw invalid(`${field}.uri`, `${uri} is given twice; give it once`);
    }
  }
}

function validateEncodings({ mid, codecs, encodings }: Parameterized): void {
  if (encodings.length === 0) {
    throw invalid('rtpParameters.encodings', 'there is no encoding; give at least one');
  }
  const media = mediaPayloadTypes(codecs);
  const hasFec = codecs.some(isFec);
  const ssrcs = new Set<number>();
  const rids = new Set<string>();
  for (const [index, encoding] of encodings.entries()) {
    const field = `rtpParameters.encodings[${index}]`;
    validateEncodingNames(encoding, field, encodings.length === 1 && mid !== undefined);
    validateSsrcs(encoding, field, ssrcs);
    if (encoding.fec && !hasFec) {
      throw invalid(
        `${field}.fec`,
        'there is no FEC codec; give video/flexfec-03 with its payload type, or leave this out',
      );
    }
    if (encoding.rid !== undefined && !isNew(rids, encoding.rid)) {
      throw invalid(`${field}.rid`, 'this RID is used twice; give each encoding its own');
    }
    const payloadType = encoding.codecPayloadType;
    if (payloadType !== undefined && !media.has(payloadType)) {
      throw invalid(
        `${field}.codecPayloadType`,
        `no media codec has payload type ${payloadType}; name one of rtpParameters.codecs`,
      );
    }
    if (encodings.length > 1 && parseScalabilityMode(encoding.scalabilityMode).spatialLayers > 1) {
      throw invalid(
        `${field}.scalabilityMode`,
        'several encodings cannot have spatial layers as well; use L1Tn, or one encoding',
      );
    }
  }
}

/** How packets find the encoding: by its SSRC, its RID, or, where it is alone, by the MID. */
function validateEncodingNames(encoding: EncodingParameters, field: string, byMid: boolean): void {
  if (encoding.rid === '') {
    throw invalid(`${field}.rid`, 'the RID is empty; leave it out or give one');
  }
  if (encoding.ssrc === undefined && encoding.rid === undefined && !byMid) {
    throw invalid(
      field,
      "nothing tells which packets are this encoding's; give ssrc or rid, or, for a single encoding, a mid",
    );
  }
}

function validateSsrcs(encoding: EncodingParameters, field: string, seen: Set<number>): void {
  const named = [
    ['ssrc', encoding.ssrc],
    ['rtx.ssrc', encoding.rtx?.ssrc],
    ['fec.ssrc', encoding.fec?.ssrc],
  ] as const;
  for (const [name, ssrc] of named) {
    if (ssrc !== undefined && !isNew(seen, ssrc)) {
      throw invalid(`${field}.${name}`, `SSRC ${ssrc} is used twice; give each stream its own`);
    }
  }
}

function mediaPayloadTypes(codecs: readonly CodecParameters[]): Set<number> {
  return new Set(codecs.filter(isMedia).map((codec) => codec.payloadType));
}

/** What a MIME type begins with. */
function mimeKind(mimeType: string, field: string): MediaKind {
  checkText(mimeType, NAME_BYTES_MAX, field);
  const kind = kindOf(mimeType);
  if (!kind) {
    throw invalid(field, `"${mimeType}" is not a MIME type of audio or video; write it like video/VP8`);
  }
  return kind;
}

function validatePayloadType(payloadType: number, field: string): void {
  if (payloadType > 127) {
    throw invalid(field, `payload type ${payloadType} is above 127; give one of 0 to 127`);
  }
}

function validateClockAndChannels(codec: { clockRate: number; channels?: number }, field: string): void {
  if (codec.clockRate === 0) {
    throw invalid(`${field}.clockRate`, 'the clock rate is 0; give it in Hz, for example 90000');
  }
  if (codec.channels === 0) {
    throw invalid(`${field}.channels`, 'there are 0 channels; give at least 1, or leave it out');
  }
}

function validateFormat(parameters: Readonly<Parameters>, root: string): void {
  const names = sortedNames(parameters);
  checkLength(names.length, CODEC_PARAMETERS_MAX, root);
  for (const name of names) {
    const field = `${root}.${clipped(name, NAME_BYTES_MAX)}`;
    checkText(name, NAME_BYTES_MAX, field);
    const value = parameter(parameters, name);
    if (typeof value !== 'string') {
      continue;
    }
    checkText(value, VALUE_BYTES_MAX, field);
    if (name === 'apt') {
      throw invalid(field, 'apt is a text; give the payload type as a number');
    }
  }
}

function validateFeedback(feedback: readonly Feedback[], root: string): void {
  checkLength(feedback.length, FEEDBACK_MAX, root);
  for (const [index, { type, parameter }] of feedback.entries()) {
    checkText(type, FEEDBACK_BYTES_MAX, `${root}[${index}].type`);
    checkText(parameter, FEEDBACK_BYTES_MAX, `${root}[${index}].parameter`);
    if (type === '') {
      throw invalid(`${root}[${index}].type`, 'the type is empty; name the feedback, for example nack');
    }
  }
}

function validateUri(uri: string, field: string): void {
  checkText(uri, URI_BYTES_MAX, field);
  if (uri === '') {
    throw invalid(field, 'the URI is empty; name the extension');
  }
}

/** RFC 8285 4.2 and 4.3: 0 is padding in either form, 15 ends a block of the short one. */
function validateExtensionId(id: number, field: string): void {
  if (id === 0 || id === 15) {
    throw invalid(field, `id ${id} is not 1 to 14 or 16 to 255; give one of these`);
  }
}

/** Adds to a set what was not in it; false if it was. */
function isNew<Item>(set: Set<Item>, item: Item): boolean {
  const { size } = set;
  return set.add(item).size > size;
}
