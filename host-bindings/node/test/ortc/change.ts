/**
 * Changes one part of a call's arguments, to something near or to something else altogether.
 *
 * Knows JSON and the values at which rules change. Does not know the functions. Invariant: an argument itself is neither
 * removed nor made null.
 */
import type { Random } from './random.js';

type Holder = Record<string, unknown>;

/** Values that are wrong in most places and edges in some. */
const ANYTHING: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  -(2 ** 63),
  1e21,
  '',
  'x',
  '96',
  'é\u{1f600}',
  [],
  {},
  [1],
  { a: 1 },
];

/** Numbers at which rules change. */
const NUMBERS = [
  0,
  1,
  14,
  15,
  16,
  95,
  96,
  97,
  100,
  101,
  127,
  128,
  255,
  256,
  8000,
  48_000,
  90_000,
  2 ** 32 - 1,
  2 ** 32,
];

/** Texts for fields whose values are names. */
const NAMES: Readonly<Record<string, readonly unknown[]>> = {
  kind: ['audio', 'video', 'Audio', 'application'],
  mimeType: [
    'video/VP8',
    'VIDEO/vp9',
    'video/H264',
    'video/H265',
    'audio/opus',
    'audio/red',
    'video/rtx',
    'audio/rtx',
    'video/flexfec-03',
    'video/flexfec',
    'video/ulpfec',
    'video/red',
    'video/none',
    'audio/none',
    'video/',
    '/VP8',
    'video',
    'text/plain',
    'video/VP8/x',
    'video/vp8\u212a',
    `video/${'x'.repeat(58)}`,
    `video/${'x'.repeat(59)}`,
  ],
  direction: ['sendrecv', 'sendonly', 'recvonly', 'inactive', 'SENDRECV', 'both'],
  uri: [
    'urn:ietf:params:rtp-hdrext:sdes:mid',
    'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
    'u'.repeat(256),
    'u'.repeat(257),
  ],
  type: ['nack', 'ccm', 'transport-cc', 'goog-remb', 't'.repeat(32), 't'.repeat(33)],
  parameter: ['', 'pli', 'fir', 'p'.repeat(33)],
  scalabilityMode: ['L1T3', 'L2T1', 'S2T1', 'x', 's'.repeat(32), 's'.repeat(33)],
  rid: ['r0', 'r1', 'r'.repeat(32), 'é'.repeat(16), 'é'.repeat(17)],
  mid: ['0', 'm'.repeat(32), 'm'.repeat(33)],
  cname: ['', 'c'.repeat(255), 'c'.repeat(256)],
};

/** Format parameters, and what they may be said to be. */
const FORMAT: Readonly<Record<string, readonly unknown[]>> = {
  apt: [96, 97, 100, 100.5, '96', '+96', -96, null],
  '': [
    '96/96',
    '100/100',
    '96',
    '96/97',
    '128/1',
    '+96/096',
    '/',
    '',
    `96${'/96'.repeat(31)}`,
    `96${'/96'.repeat(32)}`,
    96,
  ],
  ['n'.repeat(64)]: [1],
  ['n'.repeat(65)]: [1],
  ['é'.repeat(33)]: [1],
  '96/96': ['', 1],
  '1/': ['x'],
  'profile-level-id': ['42e01f', '42E01F', '42e01', 'zzzzzz', 640028, '42100b', '64100b', 'f4000b', null],
  'packetization-mode': [0, 1, '1', '', '-0', '01', true],
  'profile-id': [0, 2, '2', 'x', '9007199254740993', '9223372036854775808', 2.5],
  'level-id': [93, '120', 'x', -1],
  'level-asymmetry-allowed': [1, '1', 0],
  x: ['v'.repeat(1024), 'v'.repeat(1025), 'é'.repeat(513), 1e-7, 123456.75, 1e20, 0.1, [1]],
};

/** Changes something below one of `input`'s arguments, or replaces an argument by what is none. */
export function change(input: Holder, random: Random): void {
  const places = placesOf(input);
  const [holder, key] = random.of(places);
  const value = holder[key];
  if (holder === input) {
    if (random.once(4)) {
      input[key] = structuredClone(random.of(ANYTHING.filter((other) => other !== null)));
    }
    return;
  }
  if (key === 'parameters' && typeof value === 'object' && value !== null && random.below(4) > 0) {
    const name = random.of(Object.keys(FORMAT));
    (value as Holder)[name] = structuredClone(random.of(FORMAT[name]!));
    return;
  }
  if (Array.isArray(value) && random.below(4) > 0) {
    changeList(value, random);
    return;
  }
  if (random.once(5)) {
    replaceOrRemove(holder, key, random);
  } else if (Object.hasOwn(NAMES, key)) {
    holder[key] = random.of(NAMES[key]!);
  } else if (typeof value === 'number') {
    holder[key] = random.once(3) ? value + random.of([-1, 1]) : random.of(NUMBERS);
  } else if (typeof value === 'boolean') {
    holder[key] = !value;
  } else if (typeof value === 'object' && value !== null) {
    addField(value as Holder, random);
  } else {
    replaceOrRemove(holder, key, random);
  }
}

/** Every place below `input`: who holds it and under which key. */
function placesOf(input: Holder): [Holder, string][] {
  const places: [Holder, string][] = [];
  const walk = (holder: Holder) => {
    for (const [key, value] of Object.entries(holder)) {
      places.push([holder, key]);
      if (typeof value === 'object' && value !== null) {
        walk(value as Holder);
      }
    }
  };
  walk(input);
  return places;
}

function changeList(list: unknown[], random: Random): void {
  const index = random.below(list.length + 1);
  switch (random.below(5)) {
    case 0:
      list.splice(index, 1);
      break;
    case 1:
      list.splice(index, 0, structuredClone(list[0]) ?? {});
      break;
    case 2:
      list.push(...random.shuffled(list.splice(0)));
      break;
    case 3: {
      // Past every limit, or up to the next one.
      const length = random.of([16, 17, 32, 33, 64, 65, 128, 129]);
      const item = list[0] ?? {};
      while (list.length < length) {
        list.push(structuredClone(item));
      }
      break;
    }
    default:
      if (list.length > 0) {
        list[index % list.length] = structuredClone(random.of(ANYTHING));
      }
  }
}

function replaceOrRemove(holder: Holder, key: string, random: Random): void {
  if (Array.isArray(holder) || random.once(2)) {
    holder[key] = structuredClone(random.of(ANYTHING));
  } else {
    Reflect.deleteProperty(holder, key);
  }
}

/** A field that some object has, here. */
function addField(object: Holder, random: Random): void {
  const [name, value] = random.of<[string, unknown]>([
    ['channels', random.of([0, 1, 2, 255, 256, null])],
    ['preferredPayloadType', random.of([0, 13, 96, 100, 127, 128])],
    ['payloadType', random.of([0, 96, 127, 128])],
    ['encrypt', random.of([true, false, null])],
    ['dtx', random.of([true, 1])],
    ['rtx', random.of([{ ssrc: 1000 }, { ssrc: 7 }, {}, null, 5])],
    ['fec', random.of([{ ssrc: 7 }, null])],
    ['codecPayloadType', random.of([96, 97, 100])],
    ['scalabilityMode', random.of(NAMES.scalabilityMode!)],
    ['rid', random.of(NAMES.rid!)],
    ['ssrc', random.of([0, 1000, 2 ** 32 - 1])],
    ['maxBitrate', random.of([0, -1, 2 ** 53, 2 ** 63, 2 ** 64, 0.5])],
    ['mid', random.of(NAMES.mid!)],
    ['msid', random.of(['', 'a b', 5])],
    ['cname', random.of(NAMES.cname!)],
    ['reducedSize', random.of([true, false, 0])],
    ['active', true],
  ]);
  object[name] = value;
}
