import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import * as tidegate from 'tidegate';
import type { PlainTransport, Producer, Router, WebRtcServer, WebRtcTransport, Worker } from 'tidegate/types';

const { NotFoundError, UnsupportedError, WorkerClosedError } = tidegate.errors;
const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const;

let worker: Worker;
let router: Router;
let server: WebRtcServer;
let webRtc: WebRtcTransport;
let plain: PlainTransport;
let producer: Producer;

before(async () => {
  worker = await tidegate.createWorker();
  router = await worker.createRouter({
    mediaCodecs: [
      { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
      { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
    ],
  });
  server = await worker.createWebRtcServer({ listenInfos: [listenInfo] });
  webRtc = await router.createWebRtcTransport({ listenInfos: [listenInfo] });
  plain = await router.createPlainTransport({ listenInfo });
  producer = await plain.produce({ kind: 'audio', rtpParameters: opus(1) });
});

after(() => {
  worker.close();
});

/** A producer of Opus. */
function opus(ssrc: number) {
  return {
    codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
    encodings: [{ ssrc }],
  };
}

type ErrorClass = new (...args: never[]) => Error;

/** What is called, the class of what it throws, and a word of its sentence. */
type Row = [call: string, kind: ErrorClass, word: RegExp, run: () => unknown];

/** Options that are not what they should be; the type checker would say so too, which is why it is silenced. */
const wrong: Row[] = [
  ['createWorker appData', TypeError, /appData/, () => tidegate.createWorker({ appData: 'mine' as never })],
  [
    'createWorker logLevel',
    TypeError,
    /logLevel|log level/i,
    () => tidegate.createWorker({ logLevel: 'loud' as never }),
  ],
  [
    'createWorker ports',
    TypeError,
    /port/i,
    () => tidegate.createWorker({ rtcMinPort: 2000, rtcMaxPort: 1000 }),
  ],
  [
    'createWorker port type',
    TypeError,
    /rtcMinPort/,
    () => tidegate.createWorker({ rtcMinPort: 'low' as never }),
  ],
  [
    'createWorker certificate alone',
    TypeError,
    /dtls/i,
    () => tidegate.createWorker({ dtlsCertificateFile: '/none' }),
  ],
  ['createWorker workerBin', Error, /nowhere/, () => tidegate.createWorker({ workerBin: '/nowhere/worker' })],
  [
    'updateSettings logLevel',
    TypeError,
    /logLevel|log level/i,
    () => worker.updateSettings({ logLevel: 1 as never }),
  ],
  [
    'updateSettings logTags',
    TypeError,
    /logTags|log tag/i,
    () => worker.updateSettings({ logTags: 'ice' as never }),
  ],
  ['createRouter appData', TypeError, /appData/, () => worker.createRouter({ appData: 1 as never })],
  [
    'createRouter mediaCodecs',
    TypeError,
    /^mediaCodecs: /,
    () => worker.createRouter({ mediaCodecs: {} as never }),
  ],
  [
    'createRouter codec',
    TypeError,
    /^mediaCodecs\[0\]/,
    () => worker.createRouter({ mediaCodecs: [{}] as never }),
  ],
  [
    'createRouter unknown codec',
    UnsupportedError,
    /^mediaCodecs\[0\]\.mimeType: /,
    () => worker.createRouter({ mediaCodecs: [{ kind: 'audio', mimeType: 'audio/none', clockRate: 8000 }] }),
  ],
  [
    'updateMediaCodecs',
    TypeError,
    /^mediaCodecs/,
    () => {
      router.updateMediaCodecs([null] as never);
    },
  ],
  ['createWebRtcServer nothing', TypeError, /listenInfos/, () => worker.createWebRtcServer({} as never)],
  [
    'createWebRtcServer empty',
    TypeError,
    /listenInfos|listen/,
    () => worker.createWebRtcServer({ listenInfos: [] }),
  ],
  [
    'createWebRtcServer protocol',
    TypeError,
    /protocol/,
    () => worker.createWebRtcServer({ listenInfos: [{ protocol: 'quic' as never, ip: '127.0.0.1' }] }),
  ],
  [
    'createWebRtcServer ip',
    TypeError,
    /ip\b/i,
    () => worker.createWebRtcServer({ listenInfos: [{ protocol: 'udp', ip: 'chicken' }] }),
  ],
  [
    'createWebRtcServer address that is not here',
    Error,
    /192\.0\.2\.1/,
    () => worker.createWebRtcServer({ listenInfos: [{ protocol: 'udp', ip: '192.0.2.1', port: 40_123 }] }),
  ],
  [
    'createWebRtcTransport nothing',
    TypeError,
    /webRtcServer|listen/,
    () => router.createWebRtcTransport({} as never),
  ],
  [
    'createWebRtcTransport list',
    TypeError,
    /listenInfos/,
    () => router.createWebRtcTransport({ listenInfos: 'all' as never }),
  ],
  [
    'createWebRtcTransport empty list',
    TypeError,
    /listenInfos|listen/,
    () => router.createWebRtcTransport({ listenInfos: [] }),
  ],
  [
    'createWebRtcTransport bitrate',
    TypeError,
    /initialAvailableOutgoingBitrate/,
    () =>
      router.createWebRtcTransport({
        listenInfos: [listenInfo],
        initialAvailableOutgoingBitrate: 'much' as never,
      }),
  ],
  [
    'createWebRtcTransport consent',
    TypeError,
    /iceConsentTimeout/,
    () => router.createWebRtcTransport({ listenInfos: [listenInfo], iceConsentTimeout: -1 }),
  ],
  [
    'createWebRtcTransport without UDP and TCP',
    TypeError,
    /enableUdp|enableTcp|candidate|UDP/i,
    () => router.createWebRtcTransport({ listenInfos: [listenInfo], enableUdp: false }),
  ],
  [
    'createWebRtcTransport enableSctp',
    UnsupportedError,
    /sctp/i,
    () => router.createWebRtcTransport({ listenInfos: [listenInfo], enableSctp: true }),
  ],
  [
    'createWebRtcTransport port range',
    TypeError,
    /portRange|port/,
    () => router.createWebRtcTransport({ listenInfos: [{ ...listenInfo, portRange: { min: 9, max: 8 } }] }),
  ],
  ['createPlainTransport nothing', TypeError, /listenInfo/, () => router.createPlainTransport({} as never)],
  [
    'createPlainTransport TCP',
    TypeError,
    /udp/i,
    () => router.createPlainTransport({ listenInfo: { protocol: 'tcp', ip: '127.0.0.1' } }),
  ],
  [
    'createPlainTransport suite',
    TypeError,
    /srtpCryptoSuite|suite/i,
    () => router.createPlainTransport({ listenInfo, enableSrtp: true, srtpCryptoSuite: 'ROT13' as never }),
  ],
  [
    'createPlainTransport port',
    TypeError,
    /port/,
    () => router.createPlainTransport({ listenInfo: { ...listenInfo, port: 70_000 } }),
  ],
  [
    'createAudioLevelObserver threshold',
    TypeError,
    /threshold/,
    () => router.createAudioLevelObserver({ threshold: 1 }),
  ],
  [
    'createAudioLevelObserver maxEntries',
    TypeError,
    /maxEntries/,
    () => router.createAudioLevelObserver({ maxEntries: 'all' as never }),
  ],
  [
    'createActiveSpeakerObserver interval',
    TypeError,
    /interval/,
    () => router.createActiveSpeakerObserver({ interval: 'often' as never }),
  ],
  ['webRtc.connect nothing', TypeError, /dtlsParameters/, () => webRtc.connect({} as never)],
  [
    'webRtc.connect fingerprints',
    TypeError,
    /fingerprint/,
    () => webRtc.connect({ dtlsParameters: { fingerprints: [] } }),
  ],
  [
    'webRtc.connect role',
    TypeError,
    /role/,
    () =>
      webRtc.connect({
        dtlsParameters: { role: 'chicken' as never, fingerprints: [{ algorithm: 'sha-256', value: 'AB' }] },
      }),
  ],
  [
    'webRtc.connect algorithm',
    TypeError,
    /algorithm|md5/,
    () =>
      webRtc.connect({
        dtlsParameters: { role: 'client', fingerprints: [{ algorithm: 'md5' as never, value: 'AB' }] },
      }),
  ],
  ['plain.connect nothing', TypeError, /ip\b|address/i, () => plain.connect({})],
  ['plain.connect ip', TypeError, /ip\b/i, () => plain.connect({ ip: 'chicken', port: 5 })],
  ['plain.connect port', TypeError, /port/, () => plain.connect({ ip: '127.0.0.1', port: 'http' as never })],
  [
    'plain.connect rtcpPort with mux',
    TypeError,
    /rtcpPort|rtcp/i,
    () => plain.connect({ ip: '127.0.0.1', port: 5, rtcpPort: 6 }),
  ],
  ['setMaxIncomingBitrate', TypeError, /bitrate/i, () => plain.setMaxIncomingBitrate('much' as never)],
  ['setMaxOutgoingBitrate low', TypeError, /30,?000|bitrate/i, () => webRtc.setMaxOutgoingBitrate(1000)],
  ['setMinOutgoingBitrate low', TypeError, /30,?000|bitrate/i, () => webRtc.setMinOutgoingBitrate(1000)],
  ['transport.enableTraceEvent', TypeError, /types/, () => plain.enableTraceEvent('bwe' as never)],
  ['produce nothing', TypeError, /./, () => plain.produce({} as never)],
  [
    'produce kind',
    TypeError,
    /kind/,
    () => plain.produce({ kind: 'chicken' as never, rtpParameters: opus(9) }),
  ],
  [
    'produce id',
    TypeError,
    /id/,
    () => plain.produce({ id: 7 as never, kind: 'audio', rtpParameters: opus(9) }),
  ],
  [
    'produce appData',
    TypeError,
    /appData/,
    () => plain.produce({ kind: 'audio', rtpParameters: opus(9), appData: 'mine' as never }),
  ],
  [
    'produce parameters',
    TypeError,
    /^rtpParameters\.codecs: /,
    () => plain.produce({ kind: 'audio', rtpParameters: {} as never }),
  ],
  [
    'produce encodings',
    TypeError,
    /^rtpParameters\.encodings\[0\]: /,
    () => plain.produce({ kind: 'audio', rtpParameters: { ...opus(9), encodings: [] } }),
  ],
  [
    'produce kind that does not fit',
    TypeError,
    /^rtpParameters\.codecs\[0\]\.mimeType: /,
    () => plain.produce({ kind: 'video', rtpParameters: opus(9) }),
  ],
  [
    'produce codec that the router lacks',
    UnsupportedError,
    /^rtpParameters\.codecs\[0\]: /,
    () =>
      plain.produce({
        kind: 'video',
        rtpParameters: {
          codecs: [{ mimeType: 'video/AV1', payloadType: 96, clockRate: 90_000 }],
          encodings: [{ ssrc: 9 }],
        },
      }),
  ],
  ['produce an SSRC again', Error, /ssrc/i, () => plain.produce({ kind: 'audio', rtpParameters: opus(1) })],
  [
    'produce an id again',
    Error,
    /already/,
    () => plain.produce({ id: producer.id, kind: 'audio', rtpParameters: opus(9) }),
  ],
  ['consume nothing', TypeError, /producerId/, () => plain.consume({} as never)],
  [
    'consume capabilities',
    TypeError,
    /rtpCapabilities/,
    () => plain.consume({ producerId: producer.id } as never),
  ],
  [
    'consume mid',
    TypeError,
    /mid/,
    () =>
      plain.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities, mid: 5 as never }),
  ],
  [
    'consume empty mid',
    TypeError,
    /mid/,
    () => plain.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities, mid: '' }),
  ],
  [
    'consume nobody',
    Error,
    /nobody/,
    () => plain.consume({ producerId: 'nobody', rtpCapabilities: router.rtpCapabilities }),
  ],
  [
    'consume without a codec',
    UnsupportedError,
    /^rtpCapabilities\.codecs: /,
    () => plain.consume({ producerId: producer.id, rtpCapabilities: { codecs: [] } }),
  ],
  ['producer.enableTraceEvent', TypeError, /types/, () => producer.enableTraceEvent({} as never)],
  [
    'producer.send',
    TypeError,
    /Buffer/,
    () => {
      producer.send('packet' as never);
    },
  ],
];

test('every wrong option is refused with the class and a sentence that names it', async () => {
  const faults: string[] = [];
  for (const [call, kind, word, run] of wrong) {
    try {
      const made = (await run()) as { close?: () => void } | undefined;
      made?.close?.();
      faults.push(`${call}: it is accepted`);
    } catch (error) {
      const { name, message } = error as Error;
      const isKind = kind === Error ? error instanceof Error : error instanceof kind;
      if (!isKind || !word.test(message) || message.length < 15) {
        faults.push(`${call}: ${name}: ${message}`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test('what was refused left nothing behind', async () => {
  assert.deepEqual((await worker.dump()).webRtcServerIds, [server.id]);
  assert.equal((await router.dump()).transportIds.length, 2);
  const dump = await plain.dump();
  assert.deepEqual([dump.producerIds, dump.consumerIds], [[producer.id], []]);
});

test('calls in the wrong order say what is closed, or has been done', async () => {
  const transport = await router.createPlainTransport({ listenInfo });
  await transport.connect({ ip: '127.0.0.1', port: 9 });
  await assert.rejects(transport.connect({ ip: '127.0.0.1', port: 9 }), /./);
  const short = await transport.produce({ kind: 'audio', rtpParameters: opus(5) });
  const { rtpCapabilities } = router;
  const consumer = await transport.consume({ producerId: short.id, rtpCapabilities });
  short.close();
  await assert.rejects(short.pause(), NotFoundError);
  await assert.rejects(transport.consume({ producerId: short.id, rtpCapabilities }), Error);
  consumer.close();
  await assert.rejects(consumer.resume(), NotFoundError);
  transport.close();
  await assert.rejects(transport.produce({ kind: 'audio', rtpParameters: opus(6) }), NotFoundError);
  const other = await worker.createRouter();
  other.close();
  await assert.rejects(other.createPlainTransport({ listenInfo }), NotFoundError);
  const gone = await worker.createWebRtcServer({ listenInfos: [listenInfo] });
  gone.close();
  await assert.rejects(router.createWebRtcTransport({ webRtcServer: gone }), NotFoundError);
});

test('a closed worker refuses everything with WorkerClosedError', async () => {
  const closed = await tidegate.createWorker();
  const its = await closed.createRouter({
    mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }],
  });
  const transport = await its.createPlainTransport({ listenInfo });
  closed.close();
  for (const call of [
    () => closed.dump(),
    () => closed.getResourceUsage(),
    () => closed.updateSettings({ logLevel: 'warn' }),
    () => closed.createRouter(),
    () => closed.createWebRtcServer({ listenInfos: [listenInfo] }),
    () => its.dump(),
    () => its.createPlainTransport({ listenInfo }),
    () => transport.getStats(),
    () => transport.produce({ kind: 'audio', rtpParameters: opus(1) }),
  ]) {
    await assert.rejects(call, WorkerClosedError);
  }
});
