/**
 * Negotiation (ORTC): pure functions that the host runs; the worker does not use them.
 *
 * What flows where, in the order in which the host asks:
 *
 * 1. {@link generateRouterRtpCapabilities}: wanted media codecs × supported ones → what a router can do.
 * 2. {@link getProducerRtpParametersMapping}: a producer's parameters × the router's capabilities → how payload types
 *    and streams translate into the router's.
 * 3. {@link getConsumableRtpParameters}: the same producer as the router's consumers see it.
 * 4. {@link canConsume} and {@link getConsumerRtpParameters}: consumable × what one endpoint can receive → what its
 *    consumer sends. {@link getPipeConsumerRtpParameters} is the same between routers, where everything passes.
 *
 * Names and arguments are mediasoup's; what comes out is what the Rust host makes of the same input, which 679 vectors
 * and a differential test hold. Two codecs come with others only, and only in routers that are asked for them:
 *
 * - `audio/red` (RFC 2198) passes as it is. Its parameter, which SDP writes without a name (`a=fmtp:63 111/111`), is
 *   here the one whose name is empty: `{ '': '111/111' }`. It is mapped like payload types. A consumer whose endpoint
 *   lacks RED gets what the producer sends without it, and no RED packet.
 * - `video/flexfec-03` is taken from producers (an encoding's `fec.ssrc`, or by MID and payload type), counted in the
 *   transport's statistics, and offered to no consumer.
 *
 * Every function checks its arguments. What is wrong in itself throws a `TypeError`, what is right and not to be had an
 * `UnsupportedError`; either has `field`, the path of the first field that is wrong, and a message that begins with it.
 * Nothing that is given is changed, but by the functions whose names say so.
 */
import type {
  MediaKind,
  RouterRtpCapabilities,
  RouterRtpCodecCapability,
  RtpCapabilities,
  RtpParameters,
} from '../rtp-parameters';
import { consumerParameters, isConsumable, pipeConsumerParameters } from './consumer';
import {
  flag,
  flagOr,
  optional,
  readCapabilities,
  readKind,
  readMapping,
  readMediaCodecs,
  readParameters,
  type RtpMapping,
  text,
  word,
} from './dictionary';
import { normalizeCapabilities, normalizeParameters } from './normalize';
import { consumableParameters, producerMapping } from './producer';
import { randomSsrc, randomSsrcBeside } from './random';
import { routerCapabilities } from './router';
import { normalizeSctpStreamParameters, type SctpStreamParameters } from './sctp';
import { validateCapabilities, validateParameters } from './validate';

export type { RtpMapping } from './dictionary';
export type { OrtcError } from './error';
export { serializeRtpMapping } from './wire';

/**
 * Checks what an endpoint or a router says that it can do, and writes defaults into it where they are absent.
 *
 * Codecs and extensions that this project does not know are fine: endpoints list all that they have.
 *
 * @throws TypeError names the first field that is out of its range, is there twice, or contradicts another.
 */
export function validateAndNormalizeRtpCapabilities(caps: RtpCapabilities): void {
  const read = readCapabilities(caps, 'rtpCapabilities');
  validateCapabilities(read, 'rtpCapabilities');
  normalizeCapabilities(caps, read);
}

/**
 * Checks what a producer sends, or a consumer receives, and writes defaults into it where they are absent. Without
 * `kind` all codecs must be of the first one's.
 *
 * @throws TypeError names the first field that is out of its range, is there twice, or contradicts another.
 * @throws UnsupportedError names a codec that is not known, or an encrypted header extension.
 */
export function validateAndNormalizeRtpParameters(params: RtpParameters, kind?: MediaKind): void {
  const read = readParameters(params, 'rtpParameters');
  validateParameters(kind === undefined ? undefined : readKind(kind, 'kind'), read);
  normalizeParameters(params, read);
}

/**
 * Checks the parameters of an SCTP stream, and writes `ordered` into them where it is absent.
 *
 * @throws TypeError names the field that is wrong or excluded by another.
 */
export function validateAndNormalizeSctpStreamParameters(params: SctpStreamParameters): void {
  normalizeSctpStreamParameters(params);
}

/**
 * What a router with these media codecs can do.
 *
 * Each codec is the supported one of that name, clock rate and channels, with the given parameters on top. Payload
 * types, in the order of the codecs: the preferred one, or the codec's static one, or the next of 100 to 127 and then 96
 * to 99; RTX of each video codec takes the next one too. RED (`audio/red`) carries the router's first Opus: its
 * parameter is the router's, whatever was given.
 *
 * @throws UnsupportedError names a codec that is not in `getSupportedRtpCapabilities()`.
 * @throws TypeError names a field that is wrong in itself, a payload type that an earlier codec has got, the codec for
 * which none was left, or RED without Opus.
 */
export function generateRouterRtpCapabilities(
  mediaCodecs: RouterRtpCodecCapability[] = [],
): RouterRtpCapabilities {
  // That every codec has its payload type is what this function is for.
  return routerCapabilities(readMediaCodecs(mediaCodecs, 'mediaCodecs')) as RouterRtpCapabilities;
}

/**
 * How the payload types and encodings of a producer translate into those of a router with the capabilities `caps`.
 * Media codecs come first, then RTX; encodings get SSRCs that count up.
 *
 * `options.kind` is the producer's, by default the first codec's; `options.firstMappedSsrc` is random by default.
 *
 * @throws What {@link validateAndNormalizeRtpParameters} throws.
 * @throws UnsupportedError names a codec (or RTX) that the router does not have.
 */
export function getProducerRtpParametersMapping(
  params: RtpParameters,
  caps: RtpCapabilities,
  options: { kind?: MediaKind; firstMappedSsrc?: number } = {},
): RtpMapping {
  const { kind } = optional('kind', options.kind, 'kind', readKind);
  const parameters = readParameters(params, 'rtpParameters');
  const router = readCapabilities(caps, 'routerRtpCapabilities');
  const { firstMappedSsrc } = optional('firstMappedSsrc', options.firstMappedSsrc, 'firstMappedSsrc', word);
  return producerMapping(
    kind,
    parameters,
    router,
    firstMappedSsrc ?? randomSsrc(parameters.encodings.length),
  );
}

/**
 * The producer as consumers of its router see it: its codecs with the router's payload types, feedback and RTX, the
 * router's header extensions for what it sends, its encodings by their mapped SSRCs.
 *
 * Where two codecs of the producer are one of the router's, the first one's parameters count. The capture time is
 * offered only if the producer sends it. RED's blocks have the router's payload types. FlexFEC is not in it.
 *
 * @throws What {@link validateAndNormalizeRtpParameters} throws.
 * @throws TypeError names a part of `rtpMapping` that does not belong to these parameters or this router.
 */
export function getConsumableRtpParameters(
  kind: MediaKind,
  params: RtpParameters,
  caps: RtpCapabilities,
  rtpMapping: RtpMapping,
): RtpParameters {
  return consumableParameters(
    readKind(kind, 'kind'),
    readParameters(params, 'rtpParameters'),
    readCapabilities(caps, 'routerRtpCapabilities'),
    readMapping(rtpMapping, 'rtpMapping'),
  );
}

/**
 * Whether an endpoint can decode any of a producer's codecs. RED alone is none: it needs the codec of its blocks.
 *
 * @throws What {@link validateAndNormalizeRtpCapabilities} throws, and TypeError where the consumable parameters exceed
 * the limits of parameters.
 */
export function canConsume(consumableRtpParameters: RtpParameters, caps: RtpCapabilities): boolean {
  const consumable = readParameters(consumableRtpParameters, 'consumableRtpParameters');
  return isConsumable(consumable, readCapabilities(caps, 'rtpCapabilities'));
}

/**
 * What a consumer of this producer sends to an endpoint with these capabilities.
 *
 * Codecs that both have, in the producer's order, with the endpoint's feedback; RTX where its codec stayed, RED where
 * those of its blocks did; header extensions that have the same URI and id. Of bandwidth feedback transport-cc stays
 * where its extension did, or else REMB where the absolute send time did, or else none. One encoding: layers of all
 * encodings together (`LnTm`), the largest `maxBitrate`, RTX on the SSRC after its own. With `pipe` all encodings, side
 * by side.
 *
 * SSRCs are random where they are not given; `ssrc` and (with `pipe`) `rtxSsrc` are the first ones, the others count up.
 *
 * @throws UnsupportedError where no media codec is left, exactly when {@link canConsume} is false.
 * @throws TypeError as there, for a MID that the wire does not take, and where RTX would share an SSRC with a stream.
 */
export function getConsumerRtpParameters(options: {
  consumableRtpParameters: RtpParameters;
  remoteRtpCapabilities: RtpCapabilities;
  /** All of the producer's encodings instead of one that switches between them. Default false. */
  pipe?: boolean;
  /** Whether lost packets are repaired: RTX and NACK, if the endpoint can. */
  enableRtx: boolean;
  /** Media identification (RFC 9143), unique within the transport; 32 bytes at most. */
  mid?: string;
  ssrc?: number;
  rtxSsrc?: number;
}): RtpParameters {
  const consumable = readParameters(options.consumableRtpParameters, 'consumableRtpParameters');
  const remote = readCapabilities(options.remoteRtpCapabilities, 'rtpCapabilities');
  const enableRtx = flag(options.enableRtx, 'options.enableRtx');
  const mid = optional('mid', options.mid, 'options.mid', text);
  if (!flagOr(options.pipe, false, 'options.pipe')) {
    const ssrc = optional('ssrc', options.ssrc, 'options.ssrc', word).ssrc ?? randomSsrc(2);
    return consumerParameters(consumable, remote, { ...mid, ssrc, enableRtx });
  }
  return consumerParameters(consumable, remote, {
    ...mid,
    ...ssrcsOfAll(options, consumable.encodings.length),
    enableRtx,
  });
}

/**
 * What a consumer of this producer sends to another router: all encodings and codecs, key frame requests (and NACK with
 * RTX) as only feedback, no MID and nothing about bandwidth; for video the dependency descriptor, which the other
 * router's consumers need to choose layers.
 *
 * @throws TypeError where the consumable parameters exceed the limits of parameters, and where RTX would share an SSRC
 * with a stream.
 */
export function getPipeConsumerRtpParameters(options: {
  consumableRtpParameters: RtpParameters;
  /** Whether lost packets are repaired between the routers: RTX and NACK. */
  enableRtx: boolean;
  ssrc?: number;
  rtxSsrc?: number;
}): RtpParameters {
  const consumable = readParameters(options.consumableRtpParameters, 'consumableRtpParameters');
  const enableRtx = flag(options.enableRtx, 'options.enableRtx');
  const ssrcs = ssrcsOfAll(options, consumable.encodings.length);
  return pipeConsumerParameters(consumable, { ...ssrcs, enableRtx });
}

/** The first SSRCs of `count` streams and of their RTX. */
function ssrcsOfAll(
  given: { ssrc?: number; rtxSsrc?: number },
  count: number,
): { ssrc: number; rtxSsrc: number } {
  const ssrc = optional('ssrc', given.ssrc, 'options.ssrc', word).ssrc ?? randomSsrc(count);
  const rtxSsrc = optional('rtxSsrc', given.rtxSsrc, 'options.rtxSsrc', word).rtxSsrc;
  return { ssrc, rtxSsrc: rtxSsrc ?? randomSsrcBeside(ssrc, count) };
}
