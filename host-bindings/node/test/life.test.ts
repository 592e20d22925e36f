import assert from 'node:assert/strict';
import test from 'node:test';
import { observer, type types, workersForTesting } from 'tidegate';
import { NotFoundError, WorkerClosedError } from 'tidegate/errors';
import { audio, gone, loopback, mediaCodecs, record, stage, until, video, worker } from './workers.js';

test('a worker starts, tells about itself and leaves without having died', async (t) => {
  const seen: types.Worker[] = [];
  observer.once('newworker', (made) => seen.push(made));
  const appData = { foo: 1 };
  const made = await worker(t, { appData });
  assert.deepEqual(seen, [made]);
  assert.equal(made.constructor.name, 'WorkerImpl');
  assert.ok(workersForTesting.has(made));
  assert.ok(made.pid > 0);
  assert.equal(made.appData, appData);
  assert.deepEqual([made.closed, made.died, made.subprocessClosed], [false, false, false]);
  const dump = await made.dump();
  assert.equal(dump.pid, made.pid);
  assert.deepEqual([dump.webRtcServerIds, dump.routerIds], [[], []]);
  const usage = await made.getResourceUsage();
  assert.ok(usage.ru_maxrss > 0 && Object.keys(usage).length === 16);
  const metrics = await made.getMetrics();
  assert.equal(typeof metrics.values['packets_forwarded'], 'number');
  await made.updateSettings({ logLevel: 'debug', logTags: ['rtp'] });
  await assert.rejects(made.updateSettings({ logLevel: 'loud' as 'debug' }), TypeError);

  const events: string[] = [];
  record(events, 'worker', made, 'died', 'subprocessclose');
  record(events, 'observer', made.observer, 'close');
  made.close();
  made.close();
  assert.deepEqual([made.closed, made.died, made.subprocessClosed], [true, false, false]);
  assert.ok(!workersForTesting.has(made));
  await gone(made);
  assert.deepEqual(events, ['observer close', 'worker subprocessclose']);
  for (const call of [made.dump(), made.getResourceUsage(), made.createRouter(), made.updateSettings()]) {
    await assert.rejects(call, WorkerClosedError);
  }
});

test('two workers know nothing of each other', async (t) => {
  const [one, two] = [await worker(t), await worker(t)];
  const router = await one.createRouter({ mediaCodecs });
  assert.notEqual(one.pid, two.pid);
  assert.deepEqual((await two.dump()).routerIds, []);
  const server = await two.createWebRtcServer({ listenInfos: [{ ...loopback, port: 0 }] });
  await assert.rejects(router.createWebRtcTransport({ webRtcServer: server }), TypeError);
  one.close();
  assert.deepEqual((await two.dump()).webRtcServerIds, [server.id]);
});

test('every kind of entity is made, seen by observers and shown in dumps', async (t) => {
  const made = await worker(t);
  const events: string[] = [];
  record(events, 'worker', made.observer, 'newrouter', 'newwebrtcserver');
  const router = await made.createRouter({ mediaCodecs, appData: { name: 'room' } });
  record(events, 'router', router.observer, 'newtransport', 'newrtpobserver');
  const server = await made.createWebRtcServer({ listenInfos: [loopback, { ...loopback, protocol: 'tcp' }] });
  record(events, 'server', server.observer, 'webrtctransporthandled', 'webrtctransportunhandled');
  const plain = await router.createPlainTransport({ listenInfo: loopback, comedia: true });
  record(events, 'plain', plain.observer, 'newproducer', 'newconsumer');
  const web = await router.createWebRtcTransport({ webRtcServer: server });
  record(events, 'web', web.observer, 'newproducer', 'newconsumer');
  const levels = await router.createAudioLevelObserver({ maxEntries: 3, threshold: -70, interval: 500 });
  const speaker = await router.createActiveSpeakerObserver();
  const producer = await plain.produce({ ...audio(), id: 'chosen', appData: { a: 1 } });
  const consumer = await web.consume({ producerId: 'chosen', rtpCapabilities: router.rtpCapabilities });
  record(events, 'levels', levels.observer, 'addproducer', 'removeproducer', 'pause', 'resume');
  await levels.addProducer({ producerId: producer.id });
  await levels.pause();
  await levels.resume();
  assert.deepEqual(events, [
    'worker newrouter',
    'worker newwebrtcserver',
    'router newtransport',
    'router newtransport',
    'server webrtctransporthandled',
    'router newrtpobserver',
    'router newrtpobserver',
    'plain newproducer',
    'web newconsumer',
    'levels addproducer',
    'levels pause',
    'levels resume',
  ]);
  assert.deepEqual(
    [router, server, plain, web, levels, speaker, producer, consumer].map(
      (entity) => entity.constructor.name,
    ),
    [
      'RouterImpl',
      'WebRtcServerImpl',
      'PlainTransportImpl',
      'WebRtcTransportImpl',
      'AudioLevelObserverImpl',
      'ActiveSpeakerObserverImpl',
      'ProducerImpl',
      'ConsumerImpl',
    ],
  );
  assert.deepEqual(
    [plain.type, web.type, levels.type, speaker.type],
    ['plain', 'webrtc', 'audiolevel', 'activespeaker'],
  );
  assert.deepEqual(
    [producer.id, producer.type, producer.kind, producer.appData],
    ['chosen', 'simple', 'audio', { a: 1 }],
  );
  assert.deepEqual(
    [consumer.producerId, consumer.type, consumer.rtpParameters.mid],
    ['chosen', 'simple', '0'],
  );

  const dump = await router.dump();
  assert.equal(dump.id, router.id);
  assert.deepEqual(dump.transportIds.sort(), [plain.id, web.id].sort());
  assert.deepEqual(dump.rtpObserverIds.sort(), [levels.id, speaker.id].sort());
  assert.deepEqual(dump.mapProducerIdConsumerIds, [{ key: 'chosen', values: [consumer.id] }]);
  assert.deepEqual(dump.mapConsumerIdProducerId, [{ key: consumer.id, value: 'chosen' }]);
  assert.deepEqual(dump.mapProducerIdObserverIds, [{ key: 'chosen', values: [levels.id] }]);
  const plainDump = await plain.dump();
  assert.deepEqual(plainDump.producerIds, ['chosen']);
  assert.deepEqual(plainDump.rtpListener.ssrcTable, [{ key: 1111, value: 'chosen' }]);
  assert.equal((await producer.dump()).id, 'chosen');
  assert.equal((await consumer.dump()).id, consumer.id);
  const serverDump = await server.dump();
  assert.deepEqual(serverDump.webRtcTransportIds, [web.id]);
  assert.equal(
    serverDump.localIceUsernameFragments[0]?.localIceUsernameFragment,
    web.iceParameters.usernameFragment,
  );
  const [[plainStats], [webStats]] = [await plain.getStats(), await web.getStats()];
  assert.deepEqual([plainStats?.type, webStats?.type], ['plain-rtp-transport', 'webrtc-transport']);
  assert.deepEqual(
    (await consumer.getStats()).map(({ type }) => type),
    ['outbound-rtp'],
  );
  assert.deepEqual(await producer.getStats(), []);
});

test('what getters return is the callers to keep', async (t) => {
  const { router, sending } = await stage(await worker(t));
  const given = audio();
  const producer = await sending.produce(given);
  router.rtpCapabilities.codecs.length = 0;
  producer.rtpParameters.codecs.length = 0;
  sending.tuple.localPort = 1;
  given.rtpParameters.codecs.length = 0;
  assert.equal(router.rtpCapabilities.codecs?.length, 3);
  assert.equal(producer.rtpParameters.codecs.length, 1);
  assert.notEqual(sending.tuple.localPort, 1);
});

test('closing a worker closes all that is in it, from the top down', async (t) => {
  const made = await worker(t);
  const server = await made.createWebRtcServer({ listenInfos: [loopback] });
  const { router, sending } = await stage(made);
  const web = await router.createWebRtcTransport({ webRtcServer: server });
  const levels = await router.createAudioLevelObserver();
  const producer = await sending.produce(audio());
  const consumer = await web.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
  const events: string[] = [];
  record(events, 'router', router, 'workerclose');
  record(events, 'router observer', router.observer, 'close');
  record(events, 'server', server, 'workerclose');
  record(events, 'sending', sending, 'routerclose', 'listenserverclose');
  record(events, 'web', web, 'routerclose', 'listenserverclose');
  record(events, 'levels', levels, 'routerclose');
  record(events, 'producer', producer, 'transportclose');
  record(events, 'producer observer', producer.observer, 'close');
  record(events, 'consumer', consumer, 'transportclose', 'producerclose');
  made.close();
  assert.deepEqual(events, [
    'producer transportclose',
    'producer observer close',
    'sending routerclose',
    'consumer transportclose',
    'web routerclose',
    'levels routerclose',
    'router workerclose',
    'router observer close',
    'server workerclose',
  ]);
  assert.deepEqual([web.iceState, web.dtlsState, web.closed], ['closed', 'closed', true]);
  for (const entity of [router, server, sending, web, producer, consumer]) {
    assert.ok(entity.closed);
    await assert.rejects(entity.dump(), WorkerClosedError);
  }
});

test('closing a router, a server or a transport closes what is below it, in the worker too', async (t) => {
  const made = await worker(t);
  const server = await made.createWebRtcServer({ listenInfos: [loopback] });
  const { router, sending, receiving } = await stage(made);
  const web = await router.createWebRtcTransport({ webRtcServer: server });
  const events: string[] = [];
  record(events, 'web', web, 'listenserverclose');
  record(events, 'server', server.observer, 'webrtctransportunhandled', 'close');
  server.close();
  assert.deepEqual(events, ['server webrtctransportunhandled', 'web listenserverclose', 'server close']);
  await assert.rejects(server.dump(), NotFoundError);

  const producer = await sending.produce(video());
  const consumer = await receiving.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities,
  });
  record(events, 'consumer', consumer, 'producerclose', 'transportclose');
  record(events, 'consumer observer', consumer.observer, 'close');
  record(events, 'producer', producer, 'transportclose');
  events.length = 0;
  sending.close();
  assert.deepEqual(events, ['producer transportclose']);
  await until(() => consumer.closed);
  assert.deepEqual(events.slice(1), ['consumer producerclose', 'consumer observer close']);
  assert.deepEqual((await router.dump()).transportIds, [receiving.id]);
  router.close();
  const dump = await made.dump();
  assert.deepEqual([dump.routerIds, dump.transports, dump.producers, dump.consumers], [[], 0, 0, 0]);
});

test('an entity that was closed in the meantime is not handed out', async (t) => {
  const made = await worker(t);
  const { router, sending } = await stage(made);
  const produced = sending.produce(audio());
  const transport = router.createPlainTransport({ listenInfo: loopback });
  sending.close();
  await assert.rejects(produced, NotFoundError);
  await transport;
  const late = router.createPlainTransport({ listenInfo: loopback });
  router.close();
  await assert.rejects(late, NotFoundError);
  const dump = await made.dump();
  assert.deepEqual([dump.transports, dump.producers], [0, 0]);
  const dead = made.createRouter();
  made.close();
  await assert.rejects(dead, WorkerClosedError);
});

test('an entity may be closed by its own listener', async (t) => {
  const { router, sending, receiving } = await stage(await worker(t));
  const producer = await sending.produce(audio());
  const consumer = await receiving.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities,
  });
  consumer.on('producerpause', () => {
    consumer.close();
    receiving.close();
    router.close();
  });
  await producer.pause();
  await until(() => router.closed);
  assert.ok(consumer.closed && receiving.closed && producer.closed);
});

test('a listener that throws harms nobody else', async (t) => {
  const { router, sending, receiving } = await stage(await worker(t));
  const producer = await sending.produce(audio());
  const consumer = await receiving.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities,
  });
  const seen: unknown[] = [];
  consumer.on('listenererror', (event, error) => seen.push(event, error.message));
  consumer.on('producerpause', () => {
    throw new Error('mine');
  });
  const paused = new Promise<void>((resolve) => {
    consumer.observer.once('pause', resolve);
  });
  await producer.pause();
  await paused;
  assert.deepEqual(seen, ['producerpause', 'mine']);
  assert.ok(consumer.producerPaused && !consumer.closed);
});

test('memory of closed entities is given back', { timeout: 50_000 }, async (t) => {
  const made = await worker(t);
  const { gc } = globalThis as { gc?: () => void };
  assert.ok(gc, 'run with --expose-gc');
  const round = async () => {
    const { router, sending, receiving } = await stage(made);
    for (let count = 0; count < 20; count++) {
      const producer = await sending.produce(audio(count + 1));
      await receiving.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
    }
    const reference = new WeakRef(router);
    router.close();
    return reference;
  };
  const references = [await round(), await round()];
  await made.dump();
  const heap = () => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  await new Promise((resolve) => setImmediate(resolve));
  const before = heap();
  for (let count = 0; count < 20; count++) {
    references.push(await round());
  }
  await made.dump();
  await new Promise((resolve) => setImmediate(resolve));
  const grown = heap() - before;
  const alive = references.filter((reference) => reference.deref()).length;
  assert.ok(alive <= 1, `${alive} of ${references.length} closed routers are still there`);
  assert.ok(grown < 1_000_000, `${grown} bytes more after 20 more rooms of 43 entities`);
});
