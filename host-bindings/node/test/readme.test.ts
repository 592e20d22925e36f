// What the package's README says, tried: its first application, and what is not there yet.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import * as tidegate from 'tidegate';

import { built, repository } from './repository.js';

const host = path.join(repository, 'host-bindings', 'node');
const readme = fs.readFileSync(path.join(host, 'README.md'), 'utf8');
const workerBin = process.env['TIDEGATE_WORKER_BIN'] ?? built('tidegate-worker');

test('the first application relays a packet', { timeout: 30_000 }, async (t) => {
  const code = /```js\n([^]*?)```/.exec(readme)?.[1];
  assert.ok(code);
  // Within the package, so that it finds the package by name.
  const file = path.join(host, 'out', 'first-application.mjs');
  fs.writeFileSync(file, code);
  t.after(() => {
    fs.rmSync(file);
  });
  const env = { ...process.env, TIDEGATE_WORKER_BIN: workerBin };
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
  assert.match(stdout, /^tide hello as SSRC \d+\n$/);
});

test('what is not there yet says so', { timeout: 30_000 }, async (t) => {
  const section = /### What is not there yet\n([^]*?)\n###/.exec(readme)?.[1] ?? '';
  const worker = await tidegate.createWorker({ workerBin });
  t.after(() => {
    worker.close();
  });
  const router = await worker.createRouter({
    mediaCodecs: [{ kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8000 }],
  });
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const;
  const transport = await router.createPlainTransport({ listenInfo });
  const other = await worker.createRouter();
  const codec = { mimeType: 'audio/PCMU', payloadType: 0, clockRate: 8000 };
  const rtpParameters = { codecs: [codec], encodings: [{ ssrc: 1 }] };
  const { id: producerId } = await transport.produce({ kind: 'audio', rtpParameters });
  const { simulcast, svc, sender } = await layered(worker);
  const { rtpCapabilities } = sender.router;
  const consumer = await sender.transport.consume({ producerId: svc.id, rtpCapabilities });
  const layers = { preferredLayers: { spatialLayer: 1 } };
  const attempts: Record<string, () => Promise<unknown>> = {
    'createPipeTransport()': () => router.createPipeTransport({ listenInfo }),
    'pipeToRouter()': () => router.pipeToRouter({ producerId, router: other, keepId: false }),
    'createDirectTransport()': () => router.createDirectTransport(),
    'produceData()': () => transport.produceData({ label: 'chat' }),
    'consumeData()': () => transport.consumeData({ dataProducerId: 'none' }),
    'enableSctp: true': () => router.createPlainTransport({ listenInfo, enableSctp: true }),
    'simulcast producer': () => sender.transport.consume({ producerId: simulcast.id, rtpCapabilities }),
    'setPreferredLayers()': () => consumer.setPreferredLayers(layers.preferredLayers),
    preferredLayers: () => sender.transport.consume({ producerId: svc.id, rtpCapabilities, ...layers }),
    enableMediasoupPacketIdHeaderExtension: () =>
      transport.produce({ kind: 'audio', rtpParameters, enableMediasoupPacketIdHeaderExtension: true }),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    assert.ok(section.includes(name), `README does not name ${name}`);
    await assert.rejects(attempt, tidegate.errors.UnsupportedError, name);
  }
});

/** Producers with several encodings, and with several layers. */
async function layered(worker: tidegate.types.Worker) {
  const codec = (mimeType: string, payloadType: number) => ({ mimeType, payloadType, clockRate: 90_000 });
  const mediaCodecs = ['video/VP8', 'video/VP9'].map((mimeType) => ({
    kind: 'video' as const,
    mimeType,
    clockRate: 90_000,
  }));
  const router = await worker.createRouter({ mediaCodecs });
  const transport = await router.createWebRtcTransport({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
  });
  const headerExtensions: tidegate.types.RtpHeaderExtensionParameters[] = [
    { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 1 },
    { uri: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id', id: 2 },
  ];
  const produce = (mid: string, used: ReturnType<typeof codec>, encodings: object[]) =>
    transport.produce({ kind: 'video', rtpParameters: { mid, codecs: [used], headerExtensions, encodings } });
  const simulcast = await produce('0', codec('video/VP8', 96), [{ rid: 'r0' }, { rid: 'r1' }]);
  const svc = await produce('1', codec('video/VP9', 98), [{ ssrc: 7, scalabilityMode: 'L3T3' }]);
  assert.deepEqual([simulcast.type, svc.type], ['simulcast', 'svc']);
  return { simulcast, svc, sender: { router, transport } };
}

test('settings are as README says', async () => {
  const section = /### Settings that differ\n([^]*?)\n##/.exec(readme)?.[1] ?? '';
  const names = [...section.matchAll(/`([a-z][A-Za-z]+)`/g)].map(([, name]) => name);
  for (const setting of [
    'packetMemoryLimit',
    'batchInterval',
    'equalizePadding',
    'startTimeout',
    'requestTimeout',
  ]) {
    assert.ok(names.includes(setting), setting);
    await assert.rejects(tidegate.createWorker({ workerBin, [setting]: 'x' }), TypeError, setting);
  }
  const worker = await tidegate.createWorker({
    workerBin,
    packetMemoryLimit: 4 << 20,
    batchInterval: 1.5,
    equalizePadding: false,
    libwebrtcFieldTrials: 'anything',
  });
  const { packetMemoryLimit } = await worker.dump();
  worker.close();
  assert.equal(packetMemoryLimit, 4 << 20);
});
