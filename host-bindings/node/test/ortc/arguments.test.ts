import assert from 'node:assert/strict';
import test from 'node:test';
import { errors, getSupportedRtpCapabilities, ortc, parseScalabilityMode } from 'tidegate';
import { fromWire, toWire } from '../../dist/cjs/ortc/wire.js';
import { Reader } from '../../dist/cjs/wire/bincode.js';
import * as generated from '../../dist/cjs/wire/generated.js';
import type { RtpCapabilities, RtpParameters, SctpStreamParameters } from 'tidegate/types';

const codecs = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
] as const;

/** A producer of VP8 with RTX, as an endpoint states it. */
function vp8(): RtpParameters {
  return {
    mid: '1',
    codecs: [
      { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 },
      { mimeType: 'video/rtx', payloadType: 97, clockRate: 90_000, parameters: { apt: 96 } },
    ],
    encodings: [{ ssrc: 1, rtx: { ssrc: 2 } }],
  };
}

function router(): RtpCapabilities {
  return ortc.generateRouterRtpCapabilities([...codecs]);
}

function consumable(): RtpParameters {
  const mapping = ortc.getProducerRtpParametersMapping(vp8(), router());
  return ortc.getConsumableRtpParameters('video', vp8(), router(), mapping);
}

/** What a call throws. */
function refusal(call: () => unknown): ortc.OrtcError {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof errors.UnsupportedError, String(error));
    return error as ortc.OrtcError;
  }
  throw new assert.AssertionError({ message: 'it must throw' });
}

test('supported capabilities are a copy that belongs to the caller', () => {
  const one = getSupportedRtpCapabilities();
  one.codecs[0]!.rtcpFeedback.length = 0;
  one.codecs.length = 1;
  one.headerExtensions[0]!.uri = 'changed';
  const another = getSupportedRtpCapabilities();
  assert.notEqual(another.headerExtensions[0]!.uri, 'changed');
  assert.equal(another.codecs[0]!.rtcpFeedback.length, 2);
  assert.ok(another.codecs.length > 20);
});

test('outputs share nothing with inputs', () => {
  const caps = router();
  const params = consumable();
  const consumer = ortc.getConsumerRtpParameters({
    consumableRtpParameters: params,
    remoteRtpCapabilities: caps,
    enableRtx: true,
  });
  const before = structuredClone([caps, params]);
  consumer.codecs[0]!.rtcpFeedback!.length = 0;
  consumer.codecs[0]!.parameters!.changed = 1;
  consumer.headerExtensions!.forEach((extension) => (extension.id = 99));
  consumer.rtcp!.cname = 'changed';
  assert.deepEqual([caps, params], before);
});

test('validated capabilities have their defaults filled in', () => {
  const caps: RtpCapabilities = {
    codecs: [
      {
        kind: 'audio',
        mimeType: 'audio/PCMU',
        clockRate: 8000,
        parameters: { a: true, b: undefined, c: 0.5 },
      },
      {
        kind: 'video',
        mimeType: 'video/VP8',
        clockRate: 90_000,
        channels: 3,
        rtcpFeedback: [{ type: 'nack' }],
      },
    ],
    headerExtensions: [{ kind: 'audio', uri: 'urn:example', preferredId: 1 }],
  };
  ortc.validateAndNormalizeRtpCapabilities(caps);
  assert.deepEqual(caps, {
    codecs: [
      {
        kind: 'audio',
        mimeType: 'audio/PCMU',
        clockRate: 8000,
        channels: 1,
        parameters: { a: 1, b: '', c: '0.5' },
        rtcpFeedback: [],
      },
      {
        kind: 'video',
        mimeType: 'video/VP8',
        clockRate: 90_000,
        parameters: {},
        rtcpFeedback: [{ type: 'nack', parameter: '' }],
      },
    ],
    headerExtensions: [
      { kind: 'audio', uri: 'urn:example', preferredId: 1, preferredEncrypt: false, direction: 'sendrecv' },
    ],
  });
  const empty: RtpCapabilities = {};
  ortc.validateAndNormalizeRtpCapabilities(empty);
  assert.deepEqual(empty, { codecs: [], headerExtensions: [] });
});

test('validated parameters have their defaults filled in, and keep what is not ours', () => {
  const params = { ...vp8(), headerExtensions: [{ uri: 'urn:example', id: 1 }], own: true };
  ortc.validateAndNormalizeRtpParameters(params);
  assert.deepEqual(params, {
    mid: '1',
    own: true,
    codecs: [
      { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000, parameters: {}, rtcpFeedback: [] },
      {
        mimeType: 'video/rtx',
        payloadType: 97,
        clockRate: 90_000,
        parameters: { apt: 96 },
        rtcpFeedback: [],
      },
    ],
    headerExtensions: [{ uri: 'urn:example', id: 1, encrypt: false, parameters: {} }],
    encodings: [{ ssrc: 1, rtx: { ssrc: 2 }, dtx: false }],
    rtcp: { reducedSize: true },
  });
});

test('what is refused is left as it was', () => {
  const params = { ...vp8(), encodings: [{ ssrc: -1 }] };
  const before = structuredClone(params);
  assert.equal(
    refusal(() => {
      ortc.validateAndNormalizeRtpParameters(params);
    }).field,
    'rtpParameters.encodings[0].ssrc',
  );
  assert.deepEqual(params, before);
});

test('without a kind all codecs are of the first one', () => {
  const params = vp8();
  params.codecs.push({ mimeType: 'audio/opus', payloadType: 98, clockRate: 48_000, channels: 2 });
  assert.equal(
    refusal(() => {
      ortc.validateAndNormalizeRtpParameters(params);
    }).field,
    'rtpParameters.codecs[2].mimeType',
  );
  assert.equal(
    refusal(() => {
      ortc.validateAndNormalizeRtpParameters(vp8(), 'audio');
    }).field,
    'rtpParameters.codecs[0].mimeType',
  );
});

test('SSRCs that are not given are random, in range and apart', () => {
  const mapped = new Set<number>();
  for (let round = 0; round < 200; round += 1) {
    const [{ mappedSsrc }] = ortc.getProducerRtpParametersMapping(vp8(), router()).encodings as [
      { mappedSsrc: number },
    ];
    assert.ok(mappedSsrc >= 100_000_000 && mappedSsrc < 1_000_000_000, String(mappedSsrc));
    mapped.add(mappedSsrc);
  }
  assert.ok(mapped.size > 190, `${mapped.size} of 200`);
  const [one] = ortc.getConsumerRtpParameters({
    consumableRtpParameters: consumable(),
    remoteRtpCapabilities: router(),
    enableRtx: true,
  }).encodings!;
  assert.equal(one!.rtx!.ssrc, one!.ssrc! + 1);
  const simulcast = consumable();
  simulcast.encodings = [{ ssrc: 1 }, { ssrc: 2 }, { ssrc: 3 }];
  const all = ortc.getPipeConsumerRtpParameters({
    consumableRtpParameters: simulcast,
    enableRtx: true,
  }).encodings!;
  const ssrcs = all.flatMap((encoding) => [encoding.ssrc, encoding.rtx!.ssrc]);
  assert.equal(new Set(ssrcs).size, 6);
  assert.deepEqual([all[1]!.ssrc, all[2]!.ssrc], [all[0]!.ssrc! + 1, all[0]!.ssrc! + 2]);
});

test('names of an object’s prototype are parameters like others', () => {
  const parameters = JSON.parse('{ "__proto__": "a", "constructor": 1 }') as Record<string, unknown>;
  const params = vp8();
  params.codecs[0]!.parameters = parameters;
  const mapping = ortc.getProducerRtpParametersMapping(params, router());
  const [codec] = ortc.getConsumableRtpParameters('video', params, router(), mapping).codecs;
  assert.deepEqual(Object.entries(codec!.parameters!).sort(), [
    ['__proto__', 'a'],
    ['constructor', 1],
  ]);
  const h264 = { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000 } as const;
  assert.ok(ortc.generateRouterRtpCapabilities([h264]).codecs[0]!.parameters!.constructor === Object);
});

/** Arguments that are not of their types: which call, and the field that its refusal names. */
const misfits: [string, () => unknown][] = [
  [
    'rtpCapabilities',
    () => {
      ortc.validateAndNormalizeRtpCapabilities(undefined as never);
    },
  ],
  [
    'rtpCapabilities',
    () => {
      ortc.validateAndNormalizeRtpCapabilities([] as never);
    },
  ],
  [
    'rtpCapabilities.codecs',
    () => {
      ortc.validateAndNormalizeRtpCapabilities({ codecs: {} } as never);
    },
  ],
  [
    'rtpCapabilities.codecs[0].kind',
    () => {
      ortc.validateAndNormalizeRtpCapabilities({ codecs: [{}] } as never);
    },
  ],
  [
    'rtpParameters',
    () => {
      ortc.validateAndNormalizeRtpParameters('{}' as never);
    },
  ],
  [
    'rtpParameters.codecs',
    () => {
      ortc.validateAndNormalizeRtpParameters({} as never);
    },
  ],
  [
    'rtpParameters.mid',
    () => {
      ortc.validateAndNormalizeRtpParameters({ ...vp8(), mid: 1 } as never);
    },
  ],
  [
    'rtpParameters.rtcp',
    () => {
      ortc.validateAndNormalizeRtpParameters({ ...vp8(), rtcp: [] } as never);
    },
  ],
  [
    'rtpParameters.encodings[0]',
    () => {
      ortc.validateAndNormalizeRtpParameters({ ...vp8(), encodings: [1] } as never);
    },
  ],
  [
    'rtpParameters.encodings[0].rtx.ssrc',
    () => {
      ortc.validateAndNormalizeRtpParameters({ ...vp8(), encodings: [{ ssrc: 1, rtx: {} }] } as never);
    },
  ],
  [
    'rtpParameters.codecs[0].parameters.x',
    () => {
      const params = vp8();
      params.codecs[0]!.parameters = { x: Number.NaN };
      ortc.validateAndNormalizeRtpParameters(params);
    },
  ],
  [
    'rtpParameters.codecs[0].parameters.x',
    () => {
      const params = vp8();
      params.codecs[0]!.parameters = { x: '\ud800' };
      ortc.validateAndNormalizeRtpParameters(params);
    },
  ],
  ['mediaCodecs', () => ortc.generateRouterRtpCapabilities({} as never)],
  ['mediaCodecs', () => ortc.generateRouterRtpCapabilities(null as never)],
  ['mediaCodecs[0]', () => ortc.generateRouterRtpCapabilities([null] as never)],
  ['mediaCodecs[0].mimeType', () => ortc.generateRouterRtpCapabilities([{ kind: 'audio' }] as never)],
  [
    'kind',
    () => ortc.getConsumableRtpParameters('text' as never, vp8(), router(), { codecs: [], encodings: [] }),
  ],
  ['rtpMapping', () => ortc.getConsumableRtpParameters('video', vp8(), router(), {} as never)],
  ['consumableRtpParameters', () => ortc.canConsume(undefined as never, router())],
  ['rtpCapabilities', () => ortc.canConsume(consumable(), null as never)],
  [
    'options.enableRtx',
    () =>
      ortc.getConsumerRtpParameters({
        consumableRtpParameters: consumable(),
        remoteRtpCapabilities: router(),
      } as never),
  ],
  [
    'options.pipe',
    () =>
      ortc.getConsumerRtpParameters({
        consumableRtpParameters: consumable(),
        remoteRtpCapabilities: router(),
        enableRtx: true,
        pipe: 'yes',
      } as never),
  ],
  [
    'rtpMapping.codecs[0].payloadType',
    () => ortc.serializeRtpMapping({ codecs: [{}], encodings: [] } as never),
  ],
];

test('arguments that are not of their types are TypeErrors that name the field and say what to do', () => {
  for (const [field, call] of misfits) {
    const error = refusal(call);
    assert.ok(error instanceof TypeError, error.message);
    assert.equal(error.field, field, error.message);
    assert.match(error.message.slice(field.length), /^: .+; .+/, error.message);
  }
});

test('an absurd list is refused by its length', () => {
  const params = vp8();
  params.encodings = Array.from({ length: 200_000 }, (_, ssrc) => ({ ssrc }));
  assert.equal(
    refusal(() => {
      ortc.validateAndNormalizeRtpParameters(params);
    }).field,
    'rtpParameters.encodings',
  );
});

test('stream parameters of SCTP get their order, and contradictions are refused', () => {
  const normalized = (params: SctpStreamParameters) => {
    ortc.validateAndNormalizeSctpStreamParameters(params);
    return params.ordered;
  };
  assert.equal(normalized({ streamId: 0 }), true);
  assert.equal(normalized({ streamId: 65_534, ordered: false }), false);
  assert.equal(normalized({ streamId: 1, maxRetransmits: 3 }), false);
  assert.equal(normalized({ streamId: 1, maxPacketLifeTime: 100 }), false);
  assert.equal(normalized({ streamId: 1, ordered: true, maxRetransmits: 0 }), true);
  const wrong: [string, object][] = [
    ['streamId', {}],
    ['streamId', { streamId: '1' }],
    ['streamId', { streamId: 65_535 }],
    ['ordered', { streamId: 1, ordered: 1 }],
    ['ordered', { streamId: 1, ordered: true, maxRetransmits: 1 }],
    ['maxRetransmits', { streamId: 1, maxPacketLifeTime: 1, maxRetransmits: 1 }],
    ['maxPacketLifeTime', { streamId: 1, maxPacketLifeTime: -1 }],
    ['maxRetransmits', { streamId: 1, maxRetransmits: 65_536 }],
  ];
  for (const [field, params] of wrong) {
    const error = refusal(() => {
      ortc.validateAndNormalizeSctpStreamParameters(params as never);
    });
    assert.equal(error.field, `sctpStreamParameters.${field}`);
  }
});

test('a text that is no scalability mode, or none at all, means one layer', () => {
  for (const text of [undefined, '', 'x']) {
    assert.deepEqual(parseScalabilityMode(text), { spatialLayers: 1, temporalLayers: 1, ksvc: false });
  }
  assert.deepEqual(parseScalabilityMode('L3T2_KEY'), { spatialLayers: 3, temporalLayers: 2, ksvc: true });
});

test('parameters go to the wire and come back, and mappings are its bytes', () => {
  const params = vp8();
  params.codecs[0]!.parameters = { '': '1/2', é: 'ü', n: -5, big: 2 ** 60 };
  params.encodings![0]!.maxBitrate = 5;
  ortc.validateAndNormalizeRtpParameters(params);
  const expected = structuredClone(params);
  expected.codecs[0]!.parameters!.big = String(2 ** 60);
  expected.headerExtensions = [];
  assert.deepEqual(fromWire(toWire(params)), expected);
  const mapping = ortc.getProducerRtpParametersMapping(vp8(), router(), { firstMappedSsrc: 7 });
  const reader = new Reader(ortc.serializeRtpMapping(mapping));
  const read = JSON.parse(JSON.stringify(generated.readRtpMapping(reader))) as unknown;
  reader.end();
  assert.deepEqual(read, mapping);
});
