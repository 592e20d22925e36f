/**
 * What a consumer sends to one endpoint, or to another router.
 *
 * Knows which codecs, feedback and header extensions both sides share. Does not choose SSRCs. Invariant: what is made
 * here passes validation, and `isConsumable` says beforehand whether it can be made.
 */
import {
  type Capabilities,
  type Codec,
  type CodecCapability,
  type CodecParameters,
  type EncodingParameters,
  type ExtensionParameters,
  isFec,
  isMedia,
  isRed,
  isRtx,
  type Parameterized,
} from './dictionary';
import { invalid, unsupported } from './error';
import { ID_BYTES_MAX } from './limits';
import { matches } from './matching';
import { kindOf } from './mime';
import { blockPayloadTypes, NotBlocks } from './red';
import { parseScalabilityMode } from './scalability-mode';
import {
  ABS_SEND_TIME_URI,
  DEPENDENCY_DESCRIPTOR_ID,
  DEPENDENCY_DESCRIPTOR_URI,
  MID_URI,
  TRANSPORT_CC_URI,
} from './supported';
import { checkText } from './text';
import { validateCapabilities, validateConsumable } from './validate';
import { number, parameter } from './value';

/** What a host decides about a consumer. */
export type ConsumerChoice = {
  /** SSRC of the stream; of the first one where all are wanted, the others count up from it. */
  ssrc: number;
  /**
   * SSRC of the first stream's RTX, the others count up from it: all of the producer's streams side by side (the API's
   * option `pipe`). When absent, one stream that switches between the producer's; its RTX has the SSRC after its own.
   */
  rtxSsrc?: number;
  /** Whether lost packets are repaired: RTX and NACK, if the endpoint can. */
  enableRtx: boolean;
  /** Media identification (RFC 9143), unique within the transport. */
  mid?: string;
};

const CONSUMABLE = 'consumableRtpParameters';

/**
 * Whether an endpoint can decode any of a producer's codecs. RED alone is none: it needs the codec of its blocks, and an
 * endpoint with that codec and without RED gets those packets only that the producer sends without RED.
 */
export function isConsumable(consumable: Parameterized, capabilities: Capabilities): boolean {
  validateCapabilities(capabilities, 'rtpCapabilities');
  validateConsumable(consumable, CONSUMABLE);
  return consumable.codecs.some(
    (codec) => isMedia(codec) && !isRed(codec) && endpointCodec(codec, capabilities),
  );
}

/** What a consumer of this producer sends to an endpoint with these capabilities: see `getConsumerRtpParameters`. */
export function consumerParameters(
  consumable: Parameterized,
  capabilities: Capabilities,
  choice: ConsumerChoice,
): Parameterized {
  validateCapabilities(capabilities, 'rtpCapabilities');
  validateConsumable(consumable, CONSUMABLE);
  if (choice.mid === '') {
    throw invalid('options.mid', 'the MID is empty; leave it out or give one');
  }
  checkText(choice.mid, ID_BYTES_MAX, 'options.mid');
  const shared = sharedCodecs(consumable, capabilities, choice.enableRtx);
  if (shared.length === 0) {
    throw unsupported(
      'rtpCapabilities.codecs',
      "the endpoint has none of the producer's media codecs; check with canConsume first",
    );
  }
  const headerExtensions = consumable.headerExtensions.filter(({ uri, id }) =>
    capabilities.headerExtensions.some((known) => known.preferredId === id && known.uri === uri),
  );
  const codecs = withOneBandwidthFeedback(shared, headerExtensions);
  const hasRtx = codecs.some(isRtx);
  const encodings =
    choice.rtxSsrc === undefined
      ? [oneEncoding(consumable, choice.ssrc, hasRtx)]
      : allEncodings(consumable, choice.ssrc, hasRtx ? choice.rtxSsrc : undefined);
  const mid = choice.mid === undefined ? {} : { mid: choice.mid };
  return { ...mid, ...named(consumable), codecs, headerExtensions, encodings };
}

/** What a consumer of this producer sends to another router: see `getPipeConsumerRtpParameters`. */
export function pipeConsumerParameters(
  consumable: Parameterized,
  choice: { ssrc: number; rtxSsrc: number; enableRtx: boolean },
): Parameterized {
  validateConsumable(consumable, CONSUMABLE);
  const stays = new Set(['nack pli', 'ccm fir', ...(choice.enableRtx ? ['nack '] : [])]);
  const codecs = consumable.codecs
    .filter((codec) => !isFec(codec) && (choice.enableRtx || !isRtx(codec)))
    .map((codec) => ({
      ...codec,
      rtcpFeedback: codec.rtcpFeedback.filter(({ type, parameter }) => stays.has(`${type} ${parameter}`)),
    }));
  const headerExtensions = pipeExtensions(consumable);
  const encodings = allEncodings(consumable, choice.ssrc, codecs.some(isRtx) ? choice.rtxSsrc : undefined);
  return { ...named(consumable), codecs, headerExtensions, encodings };
}

/** What every consumer has of its producer: the names of its stream and source. */
function named({ msid, rtcp }: Parameterized): Pick<Parameterized, 'msid' | 'rtcp'> {
  return { ...(msid === undefined ? {} : { msid }), rtcp: { ...rtcp } };
}

/** Codecs that the endpoint has too, with its feedback; RTX and RED only with their media codecs. */
function sharedCodecs(
  consumable: Parameterized,
  capabilities: Capabilities,
  enableRtx: boolean,
): CodecParameters[] {
  const codecs: CodecParameters[] = [];
  for (const codec of consumable.codecs) {
    const known =
      isFec(codec) || (!enableRtx && isRtx(codec)) ? undefined : endpointCodec(codec, capabilities);
    if (known) {
      const rtcpFeedback = known.rtcpFeedback
        .filter(({ type, parameter }) => enableRtx || type !== 'nack' || parameter !== '')
        .map((feedback) => ({ ...feedback }));
      codecs.push({ ...codec, rtcpFeedback });
    }
  }
  const media = new Set(codecs.filter(isMedia).map((codec) => codec.payloadType));
  return codecs.filter((codec) => {
    if (isRed(codec)) {
      const blocks = blockPayloadTypes(codec, consumable.codecs);
      return !(blocks instanceof NotBlocks) && blocks.every((block) => media.has(block));
    }
    const apt = number(parameter(codec.parameters, 'apt'));
    return !isRtx(codec) || (apt !== undefined && media.has(apt));
  });
}

function endpointCodec(codec: Codec, capabilities: Capabilities): CodecCapability | undefined {
  return capabilities.codecs.find((known) => matches(known, codec));
}

/** Two estimators would fight: the one whose extension is there stays, transport-cc first. */
function withOneBandwidthFeedback(
  codecs: readonly CodecParameters[],
  extensions: readonly ExtensionParameters[],
): CodecParameters[] {
  const has = (wanted: string) => extensions.some(({ uri }) => uri === wanted);
  const dropped = new Set(['transport-cc', 'goog-remb']);
  if (has(TRANSPORT_CC_URI)) {
    dropped.delete('transport-cc');
  } else if (has(ABS_SEND_TIME_URI)) {
    dropped.delete('goog-remb');
  }
  return codecs.map((codec) => ({
    ...codec,
    rtcpFeedback: codec.rtcpFeedback.filter(({ type }) => !dropped.has(type)),
  }));
}

/** One encoding for all of the consumable's: layers of all together (`LnTm`), the largest `maxBitrate`. */
function oneEncoding({ encodings }: Parameterized, ssrc: number, hasRtx: boolean): EncodingParameters {
  let scalabilityMode = encodings.find((encoding) => encoding.scalabilityMode !== undefined)?.scalabilityMode;
  if (encodings.length > 1) {
    scalabilityMode = `L${encodings.length}T${parseScalabilityMode(scalabilityMode).temporalLayers}`;
  }
  const maxBitrate = Math.max(0, ...encodings.map((encoding) => encoding.maxBitrate ?? 0));
  return {
    ssrc,
    ...(hasRtx ? { rtx: { ssrc: (ssrc + 1) >>> 0 } } : {}),
    dtx: encodings.some((encoding) => encoding.dtx),
    ...(scalabilityMode === undefined ? {} : { scalabilityMode }),
    ...(maxBitrate > 0 ? { maxBitrate } : {}),
  };
}

/** Every encoding of the consumable, with SSRCs that count up. */
function allEncodings(
  { encodings }: Parameterized,
  ssrc: number,
  rtxSsrc: number | undefined,
): EncodingParameters[] {
  const streams = encodings.length;
  if (rtxSsrc !== undefined && ((rtxSsrc - ssrc) >>> 0 < streams || (ssrc - rtxSsrc) >>> 0 < streams)) {
    throw invalid(
      'options.rtxSsrc',
      `the ${streams} SSRCs from here overlap those of the streams; choose another`,
    );
  }
  return encodings.map((given, index) => {
    const encoding = { ...given, ssrc: (ssrc + index) >>> 0 };
    delete encoding.rtx;
    delete encoding.fec;
    return rtxSsrc === undefined ? encoding : { ...encoding, rtx: { ssrc: (rtxSsrc + index) >>> 0 } };
  });
}

/** Not what belongs to one transport (MID) or to its bandwidth. */
function pipeExtensions(consumable: Parameterized): ExtensionParameters[] {
  const ofOneTransport = [MID_URI, ABS_SEND_TIME_URI, TRANSPORT_CC_URI];
  const extensions = consumable.headerExtensions.filter(({ uri }) => !ofOneTransport.includes(uri));
  const isVideo = consumable.codecs.some(({ mimeType }) => kindOf(mimeType) === 'video');
  const isTaken = extensions.some(
    ({ uri, id }) => id === DEPENDENCY_DESCRIPTOR_ID || uri === DEPENDENCY_DESCRIPTOR_URI,
  );
  if (isVideo && !isTaken) {
    extensions.push({ uri: DEPENDENCY_DESCRIPTOR_URI, id: DEPENDENCY_DESCRIPTOR_ID, encrypt: false });
  }
  return extensions;
}
