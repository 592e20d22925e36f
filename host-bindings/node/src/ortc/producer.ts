/**
 * How a producer's numbers become the router's, and what the router's consumers see of it.
 *
 * Knows payload types, encodings and directions of header extensions. Does not know endpoints that consume. Invariant: a
 * consumable names only payload types and extension ids of the router.
 */
import type { MediaKind } from '../rtp-parameters';
import {
  type Capabilities,
  type Codec,
  type CodecCapability,
  type CodecParameters,
  type EncodingParameters,
  type ExtensionParameters,
  isMedia,
  isRed,
  isRtx,
  type Parameterized,
  type RtpMapping,
} from './dictionary';
import { invalid, unsupported } from './error';
import { agreedParameters, channelsOf, matches } from './matching';
import { blockPayloadTypes, NotBlocks, redParameters } from './red';
import { ABS_CAPTURE_TIME_URI } from './supported';
import { validateCapabilities, validateParameters } from './validate';
import { number, parameter, type Parameters } from './value';

const ROUTER = 'routerRtpCapabilities';

/**
 * How the payload types and encodings of a producer translate into those of `router`. Media codecs come first, then RTX;
 * encodings get `firstMappedSsrc` and the SSRCs after it.
 */
export function producerMapping(
  kind: MediaKind | undefined,
  parameters: Parameterized,
  router: Capabilities,
  firstMappedSsrc: number,
): RtpMapping {
  validateParameters(kind, parameters);
  validateCapabilities(router, ROUTER);
  const codecs: RtpMapping['codecs'] = [];
  for (const [index, codec] of parameters.codecs.entries()) {
    if (isRtx(codec)) {
      continue;
    }
    const mappedPayloadType = routerCodec(codec, router);
    if (mappedPayloadType === undefined) {
      throw unsupported(
        `rtpParameters.codecs[${index}]`,
        `the router has no codec that matches ${codec.mimeType}; add it to mediaCodecs`,
      );
    }
    codecs.push({ payloadType: codec.payloadType, mappedPayloadType });
  }
  for (const [index, codec] of parameters.codecs.entries()) {
    if (!isRtx(codec)) {
      continue;
    }
    // That there is a media codec of this number has been checked.
    const media = codecs.find((entry) => entry.payloadType === apt(codec));
    const rtx = media && routerRtx(media.mappedPayloadType, router);
    if (!rtx) {
      throw unsupported(
        `rtpParameters.codecs[${index}]`,
        'the router has no RTX for this codec; leave RTX out',
      );
    }
    codecs.push({ payloadType: codec.payloadType, mappedPayloadType: rtx.payloadType });
  }
  const encodings = parameters.encodings.map(({ ssrc, rid, scalabilityMode }, index) => ({
    ...(ssrc === undefined ? {} : { ssrc }),
    ...(rid === undefined ? {} : { rid }),
    ...(scalabilityMode === undefined ? {} : { scalabilityMode }),
    mappedSsrc: (firstMappedSsrc + index) >>> 0,
  }));
  return { codecs, encodings };
}

/**
 * The producer as consumers of its router see it: its codecs with the router's payload types, feedback and RTX, the
 * router's header extensions for what it sends, its encodings by their mapped SSRCs.
 *
 * Where two codecs of the producer are one of the router's, the first one's parameters count. The capture time is
 * offered only if the producer sends it. RED's blocks have the router's payload types.
 *
 * FlexFEC is not in it: it protects packets bit for bit and names them by the sender's sequence numbers, and a consumer
 * gets all of these rewritten. The worker takes FlexFEC in and counts it; NACK and RTX repair on either side.
 */
export function consumableParameters(
  kind: MediaKind,
  parameters: Parameterized,
  router: Capabilities,
  mapping: RtpMapping,
): Parameterized {
  validateParameters(kind, parameters);
  validateCapabilities(router, ROUTER);
  const { msid, rtcp } = parameters;
  return {
    ...(msid === undefined ? {} : { msid }),
    codecs: consumableCodecs(parameters, router, mapping),
    headerExtensions: consumableExtensions(kind, parameters, router),
    encodings: consumableEncodings(parameters, mapping),
    rtcp: { ...rtcp, reducedSize: true },
  };
}

function consumableCodecs(
  parameters: Parameterized,
  router: Capabilities,
  mapping: RtpMapping,
): CodecParameters[] {
  const codecs: CodecParameters[] = [];
  const seen = new Set<number>();
  for (const [index, codec] of parameters.codecs.entries()) {
    if (!isMedia(codec)) {
      continue;
    }
    const payloadType = mappedPayloadType(codec.payloadType, mapping);
    const known = router.codecs.find(
      (known) => !isRtx(known) && payloadType !== undefined && known.preferredPayloadType === payloadType,
    );
    if (payloadType === undefined || !known) {
      throw invalid(
        'rtpMapping.codecs',
        `rtpParameters.codecs[${index}] has no codec of the router there; map these parameters`,
      );
    }
    if (seen.has(payloadType)) {
      continue;
    }
    seen.add(payloadType);
    const agreed = isRed(codec)
      ? mappedRedParameters(codec, parameters, mapping)
      : agreedParameters(codec, known);
    codecs.push({ ...inUse(known, payloadType), parameters: agreed });
    const rtx = routerRtx(payloadType, router);
    if (rtx) {
      codecs.push(inUse(rtx.codec, rtx.payloadType));
    }
  }
  return codecs;
}

/** The parameters of a RED codec: its blocks' payload types, as the worker writes them. */
function mappedRedParameters(
  red: CodecParameters,
  parameters: Parameterized,
  mapping: RtpMapping,
): Parameters {
  const blocks = blockPayloadTypes(red, parameters.codecs);
  // That they are blocks has been checked.
  const mapped = (blocks instanceof NotBlocks ? [] : blocks).map((payloadType) => {
    const router = mappedPayloadType(payloadType, mapping);
    if (router === undefined) {
      const message = `payload type ${payloadType} of RED's blocks has no entry; map these parameters`;
      throw invalid('rtpMapping.codecs', message);
    }
    return router;
  });
  return redParameters(mapped);
}

/** A router's codec, in use. */
function inUse(codec: CodecCapability, payloadType: number): CodecParameters {
  const channels = channelsOf(codec);
  return {
    mimeType: codec.mimeType,
    payloadType,
    clockRate: codec.clockRate,
    ...(channels === undefined ? {} : { channels }),
    parameters: { ...codec.parameters },
    rtcpFeedback: codec.rtcpFeedback.map((feedback) => ({ ...feedback })),
  };
}

function consumableExtensions(
  kind: MediaKind,
  parameters: Parameterized,
  router: Capabilities,
): ExtensionParameters[] {
  const hasCaptureTime = parameters.headerExtensions.some(({ uri }) => uri === ABS_CAPTURE_TIME_URI);
  return router.headerExtensions
    .filter(
      (extension) =>
        extension.kind === kind &&
        (extension.direction === 'sendonly' || extension.direction === 'sendrecv') &&
        (hasCaptureTime || extension.uri !== ABS_CAPTURE_TIME_URI),
    )
    .map(({ uri, preferredId }) => ({ uri, id: preferredId, encrypt: false }));
}

function consumableEncodings(parameters: Parameterized, mapping: RtpMapping): EncodingParameters[] {
  const [given, mapped] = [parameters.encodings.length, mapping.encodings.length];
  if (given !== mapped) {
    throw invalid('rtpMapping.encodings', `there are ${mapped} for ${given} encodings; map these parameters`);
  }
  return mapping.encodings.map(({ mappedSsrc }, index) => {
    const encoding: EncodingParameters = { dtx: false, ...parameters.encodings[index], ssrc: mappedSsrc };
    delete encoding.rid;
    delete encoding.codecPayloadType;
    delete encoding.rtx;
    delete encoding.fec;
    return encoding;
  });
}

function mappedPayloadType(payloadType: number, mapping: RtpMapping): number | undefined {
  return mapping.codecs.find((entry) => entry.payloadType === payloadType)?.mappedPayloadType;
}

/** The payload type of the router's codec that is the producer's. */
function routerCodec(codec: Codec, router: Capabilities): number | undefined {
  const same = router.codecs.filter((known) => matches(codec, known));
  return same.find((known) => known.preferredPayloadType !== undefined)?.preferredPayloadType;
}

/** The router's RTX of its codec with this payload type, and RTX's own. */
function routerRtx(
  of: number,
  router: Capabilities,
): { codec: CodecCapability; payloadType: number } | undefined {
  const codec = router.codecs.find((codec) => isRtx(codec) && apt(codec) === of);
  const payloadType = codec?.preferredPayloadType;
  return codec && payloadType !== undefined ? { codec, payloadType } : undefined;
}

function apt(codec: Codec): number | undefined {
  return number(parameter(codec.parameters, 'apt'));
}
