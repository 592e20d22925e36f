/**
 * A router's capabilities, made of the codecs that an application wants.
 *
 * Knows how payload types are handed out. Does not know endpoints. Invariant: no payload type is given twice, and every
 * video codec but FEC has its RTX.
 */
import { type Capabilities, type CodecCapability, isFec, isRtx } from './dictionary';
import { invalid, type OrtcError, unsupported } from './error';
import { isSameCodec } from './matching';
import { carryOpus } from './red';
import { advice, getSupportedRtpCapabilities } from './supported';
import { checkLength } from './text';
import { validateCodecCapability } from './validate';

/** As many as capabilities may list; payload types run out sooner. */
const MEDIA_CODECS_MAX = 128;

/** Dynamic payload types in the order in which they are handed out. */
const DYNAMIC: readonly number[] = Array.from({ length: 32 }, (_, index) =>
  index < 28 ? 100 + index : 68 + index,
);

/** What a router with these media codecs can do: see `generateRouterRtpCapabilities`. */
export function routerCapabilities(mediaCodecs: readonly CodecCapability[]): Capabilities {
  checkLength(mediaCodecs.length, MEDIA_CODECS_MAX, 'mediaCodecs');
  const supported = getSupportedRtpCapabilities();
  const taken = new Set<number>();
  const codecs: CodecCapability[] = [];
  for (const [index, wanted] of mediaCodecs.entries()) {
    const field = `mediaCodecs[${index}]`;
    validateCodecCapability(wanted, field);
    const known = supported.codecs.find((codec) => isSameCodec(codec, wanted));
    if (!known) {
      throw notSupported(wanted, field);
    }
    const preferred = wanted.preferredPayloadType ?? known.preferredPayloadType;
    const codec = {
      ...structuredClone(known),
      preferredPayloadType: take(taken, preferred, `${field}.preferredPayloadType`),
      parameters: { ...known.parameters, ...wanted.parameters },
    };
    codecs.push(codec);
    if (codec.kind === 'video' && !isFec(codec)) {
      codecs.push(rtx(take(taken, undefined, `${field}.preferredPayloadType`), codec));
    }
  }
  carryOpus(codecs, mediaCodecs);
  return { codecs, headerExtensions: supported.headerExtensions };
}

/** Takes the `wanted` payload type, or the first dynamic one that is free. */
function take(taken: Set<number>, wanted: number | undefined, field: string): number {
  const payloadType = wanted ?? DYNAMIC.find((payloadType) => !taken.has(payloadType));
  if (payloadType === undefined) {
    throw invalid(field, 'no dynamic payload type is left for this codec and its RTX; give fewer codecs');
  }
  if (taken.has(payloadType)) {
    throw invalid(field, `payload type ${payloadType} has been given to an earlier codec; prefer another`);
  }
  taken.add(payloadType);
  return payloadType;
}

function rtx(payloadType: number, of: { preferredPayloadType: number; clockRate: number }): CodecCapability {
  return {
    kind: 'video',
    mimeType: 'video/rtx',
    preferredPayloadType: payloadType,
    clockRate: of.clockRate,
    parameters: { apt: of.preferredPayloadType },
    rtcpFeedback: [],
  };
}

function notSupported(wanted: CodecCapability, field: string): OrtcError {
  const { mimeType, clockRate, channels = 1 } = wanted;
  return unsupported(
    `${field}.mimeType`,
    isRtx(wanted)
      ? `${mimeType} comes with every video codec by itself; leave it out`
      : `${mimeType} ${
          advice(mimeType) ??
          `at ${clockRate} Hz with ${channels} channel(s) is not supported; choose from getSupportedRtpCapabilities()`
        }`,
  );
}
