/**
 * Random calls of negotiation: right ones, and such with one to three parts changed.
 *
 * Knows what endpoints and producers look like. Does not know what comes out. Invariant: a call is JSON, so that hosts
 * in all languages see the same; its arguments themselves are never absent or null, only what is in them.
 */
import { getSupportedRtpCapabilities, ortc } from 'tidegate';
import type {
  MediaKind,
  RtpCapabilities,
  RtpCodecCapability,
  RtpCodecParameters,
  RtpEncodingParameters,
  RtpParameters,
} from 'tidegate/types';
import { change } from './change.js';
import type { Random } from './random.js';

/** One call: a function by the vectors' name, and its arguments. */
export type Call = { function: string; input: Record<string, unknown> };

const FUNCTIONS = [
  'routerRtpCapabilities',
  'validateRtpCapabilities',
  'validateRtpParameters',
  'producerMapping',
  'consumableRtpParameters',
  'canConsume',
  'consumerRtpParameters',
  'pipeConsumerRtpParameters',
  'parseScalabilityMode',
];

const H264 = [
  '42e01f',
  '42e034',
  '42001f',
  '4d0032',
  '4d001f',
  '640c1f',
  '64001f',
  'f4001f',
  '42100b',
  '42C00d',
  640028,
];
const MODES = [
  'L1T1',
  'L1T2',
  'L1T3',
  'L2T1',
  'L3T3_KEY',
  'S2T3',
  'L2T2h',
  'l1t1',
  'L12T10',
  'L0T1',
  '',
  'S3T3x_KEY',
];
const FEEDBACK = ['nack', 'nack pli', 'ccm fir', 'goog-remb', 'transport-cc', 'rrtr', 'nack rpsi'];

/** The parameters that decide whether codecs are the same, and values that they have in the field. */
const PARAMETERS: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  'video/h264': {
    'profile-level-id': H264,
    'packetization-mode': [0, 1, '1', '01'],
    'level-asymmetry-allowed': [0, 1, '1', true],
  },
  'video/vp9': { 'profile-id': [0, 1, 2, '0', '+2', '2'] },
  'video/h265': {
    'profile-id': [1, 2, '1'],
    'tier-flag': [0, 1],
    'level-id': [93, 120, '153', 180],
    'tx-mode': ['SRST', 'MRST', 1],
    'profile-space': [0, 1],
  },
  'video/av1': { profile: [0, 1, '0'], tier: [0, 1], 'level-idx': [5, 9, '12', 15.5] },
  'audio/opus': { useinbandfec: [1, '1', true, null], minptime: [10, 0.5, 1e-7], 'sprop-stereo': [1] },
  'audio/multiopus': { num_streams: [2, 4, '4'], coupled_streams: [2, '2', 3] },
};

/** A call that is right, or was before one to three of its parts were changed. */
export function randomCall(random: Random): Call {
  const name = random.of(FUNCTIONS);
  const input = rightInput(name, random);
  // Where any text is right there is nothing to change.
  const changes = name === 'parseScalabilityMode' || random.once(2) ? 0 : 1 + random.below(3);
  for (let count = 0; count < changes; count += 1) {
    change(input, random);
  }
  // What JSON does not have (undefined, -0) is not for other languages.
  return { function: name, input: JSON.parse(JSON.stringify(input)) as Record<string, unknown> };
}

function rightInput(name: string, random: Random): Record<string, unknown> {
  if (name === 'parseScalabilityMode') {
    return { scalabilityMode: random.once(3) ? random.of(MODES) : randomMode(random) };
  }
  const kind = random.of<MediaKind>(['audio', 'video', 'video']);
  const mediaCodecs = randomMediaCodecs(kind, random);
  if (name === 'routerRtpCapabilities') {
    // Now and then as many as there are payload types for, or a few more.
    return { mediaCodecs: random.once(9) ? manyCodecs(random) : mediaCodecs };
  }
  const router = ortc.generateRouterRtpCapabilities(mediaCodecs);
  if (name === 'validateRtpCapabilities') {
    return { rtpCapabilities: endpoint(router, random) };
  }
  const rtpParameters = producer(kind, router, random);
  if (name === 'validateRtpParameters') {
    return { kind, rtpParameters };
  }
  const firstMappedSsrc = random.once(9) ? 0xffff_ffff - random.below(3) : 100_000_000 + random.below(1000);
  if (name === 'producerMapping') {
    return {
      kind,
      rtpParameters,
      routerRtpCapabilities: random.once(4) ? endpoint(router, random) : router,
      firstMappedSsrc,
    };
  }
  const rtpMapping = ortc.getProducerRtpParametersMapping(rtpParameters, router, { kind, firstMappedSsrc });
  if (name === 'consumableRtpParameters') {
    return { kind, rtpParameters, routerRtpCapabilities: router, rtpMapping };
  }
  const consumableRtpParameters = ortc.getConsumableRtpParameters(kind, rtpParameters, router, rtpMapping);
  const ssrc = random.once(9) ? 0xffff_ffff - random.below(2) : random.below(0xffff_ffff);
  const options = { ssrc, enableRtx: random.once(2) };
  if (name === 'pipeConsumerRtpParameters') {
    return { consumableRtpParameters, options: { ...options, rtxSsrc: rtxSsrc(ssrc, random) } };
  }
  const rtpCapabilities = endpoint(router, random);
  if (name === 'canConsume') {
    return { consumableRtpParameters, rtpCapabilities };
  }
  return {
    consumableRtpParameters,
    rtpCapabilities,
    options: {
      ...options,
      ...(random.once(2) ? { mid: random.of(['0', '17', 'm'.repeat(32)]) } : {}),
      ...(random.once(4) ? { rtxSsrc: rtxSsrc(ssrc, random) } : {}),
    },
  };
}

/** Mostly far from the streams', sometimes close enough to overlap. */
function rtxSsrc(ssrc: number, random: Random): number {
  return (ssrc + (random.once(6) ? random.below(5) : 1000)) >>> 0;
}

function randomMode(random: Random): string {
  const letters = ['L', 'S', 'T', '_KEY', '0', '1', '2', '3', '10', '99', 'h', ' ', 'l'];
  return random.once(2)
    ? `${random.of(['L', 'S'])}${random.below(12)}T${random.below(12)}${random.of(['', '', '_KEY', 'h', '_KEY_SHIFT'])}`
    : Array.from({ length: random.below(6) }, () => random.of(letters)).join('');
}

/** One to five codecs, the first of `kind`, some with parameters and payload types of their own. */
function randomMediaCodecs(kind: MediaKind, random: Random): RtpCodecCapability[] {
  const supported = getSupportedRtpCapabilities().codecs;
  const first = random.of(
    supported.filter((codec) => codec.kind === kind && !/red$|flexfec/.test(codec.mimeType)),
  );
  const wanted = [first, ...random.shuffled(supported).slice(0, random.below(5))];
  if (wanted.some((codec) => codec.mimeType === 'audio/red')) {
    wanted.push(supported[0]!);
  }
  // Two of a name are told apart by payload type; CN and the like have one for all rates.
  const unlike = wanted.filter(
    (codec, index) =>
      codec.preferredPayloadType === undefined ||
      wanted.findIndex((other) => other.preferredPayloadType === codec.preferredPayloadType) === index,
  );
  return unlike.map((codec, index) => {
    const parameters: Record<string, unknown> =
      codec.mimeType === 'audio/multiopus' ? { ...codec.parameters } : {};
    if (codec.mimeType !== 'audio/multiopus') {
      Object.assign(parameters, randomParameters(codec.mimeType, random));
    }
    return {
      kind: codec.kind,
      mimeType: random.once(6) ? codec.mimeType.toUpperCase() : codec.mimeType,
      clockRate: codec.clockRate,
      ...(codec.channels === undefined || (codec.channels === 1 && random.once(2))
        ? {}
        : { channels: codec.channels }),
      ...(random.once(5) ? { preferredPayloadType: 35 + index } : {}),
      ...(random.once(4) ? {} : { parameters }),
      ...(codec.mimeType === 'audio/multiopus' ? { parameters } : {}),
      ...(random.once(8) ? { rtcpFeedback: feedback(random) } : {}),
    };
  });
}

/** Codecs whose payload types (and those of their RTX) are about as many as can be handed out. */
function manyCodecs(random: Random): RtpCodecCapability[] {
  const few: RtpCodecCapability[] = [
    { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
    { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  ];
  return Array.from({ length: 14 + random.below(6) }, () => ({ ...random.of(few) }));
}

function randomParameters(mimeType: string, random: Random): Record<string, unknown> {
  const known = Object.entries(PARAMETERS[mimeType.toLowerCase()] ?? {});
  return Object.fromEntries(random.some(known, 4).map(([name, values]) => [name, random.of(values)]));
}

function feedback(random: Random): { type: string; parameter?: string }[] {
  return random.some(FEEDBACK).map((written) => {
    const [type = '', parameter] = written.split(' ');
    return parameter === undefined ? { type } : { type, parameter };
  });
}

/** What an endpoint that has most of a router's codecs says, in its own order and with its own numbers. */
function endpoint(router: RtpCapabilities, random: Random): RtpCapabilities {
  const codecs = structuredClone(random.shuffled(random.some(router.codecs!, 8)));
  for (const codec of codecs) {
    if (random.once(5)) {
      codec.rtcpFeedback = feedback(random);
    }
    if (random.once(5) && codec.mimeType !== 'audio/multiopus' && !codec.mimeType.endsWith('rtx')) {
      codec.parameters = randomParameters(codec.mimeType, random);
    }
    if (random.once(12)) {
      codec.mimeType = codec.mimeType.toUpperCase();
    }
    if (random.once(20)) {
      delete codec.preferredPayloadType;
    }
  }
  const headerExtensions = structuredClone(random.some(router.headerExtensions!, 7));
  if (random.once(4)) {
    // Another endpoint numbers differently.
    for (const extension of headerExtensions) {
      extension.preferredId += 15 + random.below(2);
    }
  }
  return {
    ...(random.once(20) ? {} : { codecs }),
    ...(random.once(20) ? {} : { headerExtensions }),
  };
}

/** A producer of `kind` whose codecs the router has. */
function producer(kind: MediaKind, router: RtpCapabilities, random: Random): RtpParameters {
  const media = router.codecs!.filter(
    (codec) => codec.kind === kind && !/(rtx|red|flexfec-03)$/i.test(codec.mimeType),
  );
  const used = [media[0]!, ...random.some(media.slice(1), 4)];
  const codecs: RtpCodecParameters[] = [];
  let payloadType = random.once(3) ? 35 : 96;
  for (const codec of used) {
    codecs.push(codecOf(codec, payloadType, random));
    if (kind === 'video' && random.once(2)) {
      codecs.push({
        mimeType: 'video/rtx',
        payloadType: payloadType + 1,
        clockRate: 90_000,
        parameters: { apt: payloadType },
      });
    }
    payloadType += 2;
  }
  codecs.push(...extras(kind, router, codecs, payloadType, random));
  const hasFec = codecs.some((codec) => /flexfec-03$/i.test(codec.mimeType));
  const mid = random.once(3) ? {} : { mid: String(random.below(30)) };
  return {
    ...mid,
    ...(random.once(5) ? { msid: 'stream track' } : {}),
    codecs: random.once(3) ? random.shuffled(codecs) : codecs,
    ...(random.once(6) ? {} : { headerExtensions: extensions(kind, random) }),
    encodings: encodings(kind, codecs, 'mid' in mid, hasFec, random),
    ...(random.once(4)
      ? {}
      : { rtcp: random.of([{}, { cname: 'c' }, { cname: '', reducedSize: false }, { reducedSize: true }]) }),
  };
}

/** RED of the first codec that it can carry, and FlexFEC, where the router has them. */
function extras(
  kind: MediaKind,
  router: RtpCapabilities,
  codecs: readonly RtpCodecParameters[],
  payloadType: number,
  random: Random,
): RtpCodecParameters[] {
  const red = router.codecs!.find((codec) => /\/red$/i.test(codec.mimeType));
  const carried = codecs.find((codec) => codec.clockRate === red?.clockRate);
  if (kind === 'audio') {
    if (!red || !carried || random.once(4)) {
      return [];
    }
    const blocks = [carried.payloadType, carried.payloadType].join('/');
    const parameters = random.of([{}, { '': blocks }, { [blocks]: '' }, { '': String(carried.payloadType) }]);
    return [{ mimeType: 'audio/red', payloadType, clockRate: 48_000, channels: 2, parameters }];
  }
  const fec = router.codecs!.find((codec) => /flexfec-03$/i.test(codec.mimeType));
  return fec && random.once(2) ? [codecOf(fec, payloadType, random)] : [];
}

function codecOf(codec: RtpCodecCapability, payloadType: number, random: Random): RtpCodecParameters {
  return {
    mimeType: random.once(8) ? codec.mimeType.toLowerCase() : codec.mimeType,
    payloadType,
    clockRate: codec.clockRate,
    ...(codec.channels === undefined ? {} : { channels: codec.channels }),
    parameters: { ...codec.parameters, ...(random.once(2) ? otherLevel(codec, random) : {}) },
    ...(random.once(5) ? {} : { rtcpFeedback: feedback(random) }),
  };
}

/** The same profile at another level. */
function otherLevel(codec: RtpCodecCapability, random: Random): Record<string, unknown> {
  switch (codec.mimeType.toLowerCase()) {
    case 'video/h264': {
      const stated = codec.parameters?.['profile-level-id'] as string | number | undefined;
      const profile = String(stated ?? '42e01f').slice(0, 4);
      const level = random.of(['0a', '0b', '0c', '15', '1F', '28', '34']);
      return { 'profile-level-id': profile + level, 'level-asymmetry-allowed': random.of([0, 1, '1']) };
    }
    case 'video/h265':
      return { 'level-id': random.of([30, 93, '120', 'x', 180]) };
    case 'video/av1':
      return { 'level-idx': random.of([0, 5, '8', 9, 31]) };
    default:
      return {};
  }
}

function extensions(kind: MediaKind, random: Random): { uri: string; id: number; encrypt?: boolean }[] {
  const known = getSupportedRtpCapabilities().headerExtensions.filter((extension) => extension.kind === kind);
  const uris = [
    ...random.some(known, 5).map(({ uri }) => uri),
    ...(random.once(5) ? ['urn:example:own'] : []),
  ];
  const first = random.of([1, 2, 16, 200]);
  return uris
    .map((uri, index) => ({ uri, id: first + index, ...(random.once(9) ? { encrypt: false } : {}) }))
    .filter(({ id }) => id !== 15);
}

function encodings(
  kind: MediaKind,
  codecs: readonly RtpCodecParameters[],
  hasMid: boolean,
  hasFec: boolean,
  random: Random,
): RtpEncodingParameters[] {
  const count = kind === 'video' && random.once(2) ? 1 + random.below(4) : 1;
  const named = random.of(['ssrc', 'rid', 'both', ...(count === 1 && hasMid ? ['mid'] : [])]);
  const hasRtx = codecs.some((codec) => codec.mimeType === 'video/rtx');
  const modes =
    count > 1 ? MODES.filter((mode) => !/^[LS][2-9]|^L12/.test(mode) && !mode.startsWith('S')) : MODES;
  return Array.from({ length: count }, (_, index) => ({
    ...(named === 'ssrc' || named === 'both' ? { ssrc: 1000 + index } : {}),
    ...(named === 'rid' || named === 'both' ? { rid: `r${index}` } : {}),
    ...(random.once(6) ? { codecPayloadType: codecs[0]!.payloadType } : {}),
    ...(hasRtx && named !== 'rid' && random.once(2) ? { rtx: { ssrc: 2000 + index } } : {}),
    ...(hasFec && random.once(3) ? { fec: { ssrc: 3000 + index } } : {}),
    ...(random.once(5) ? { dtx: random.once(2) } : {}),
    ...(random.once(3) ? { scalabilityMode: random.of(modes) } : {}),
    ...(random.once(3) ? { maxBitrate: random.of([0, 100_000, 5_000_000, 2 ** 40]) } : {}),
  }));
}
