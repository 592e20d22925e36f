// What requests cost: throughput and latency of small requests to one worker, and whether the host's heap grows by them.
//
//   npm run build && node --expose-gc bench/requests.js [COUNT] [IN_FLIGHT]
//
// COUNT requests (100,000 by default) with IN_FLIGHT of them (64 by default) unanswered at any time. The time of each is
// from the call to the next line of the caller; then of single ones, 100 a second. The worker is the one that `workerBin` of
// the package names.
import { createWorker, workerBin } from 'tidegate';

const count = Number(process.argv[2] ?? 100_000);
const inFlight = Number(process.argv[3] ?? 64);

const worker = await createWorker();
const router = await worker.createRouter({
  mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }],
});
const transport = await router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: '127.0.0.1' } });

/** Makes `total` requests, `inFlight` at a time; their times in milliseconds. */
async function run(total, request) {
  const times = new Float64Array(total);
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < total) {
        const index = next++;
        const started = performance.now();
        await request();
        times[index] = performance.now() - started;
      }
    }),
  );
  return times.sort();
}

async function cpuMilliseconds() {
  const { ru_utime: user, ru_stime: system } = await worker.getResourceUsage();
  return user + system;
}

function heap() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function measure(name, request) {
  await run(count / 10, request);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const [before, hostCpu, workerCpu] = [heap(), process.cpuUsage(), await cpuMilliseconds()];
  const started = performance.now();
  const times = await run(count, request);
  const seconds = (performance.now() - started) / 1000;
  const host = process.cpuUsage(hostCpu);
  const workerUsed = (await cpuMilliseconds()) - workerCpu;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const grown = heap() - before;
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(3);
  console.log(
    `${name}: ${Math.round(count / seconds)} requests/s; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; ` +
      `CPU per request: host ${((host.user + host.system) / count).toFixed(1)} us, ` +
      `worker ${((workerUsed * 1000) / count).toFixed(1)} us; heap ${(grown / 1024).toFixed(0)} KiB more` +
      (globalThis.gc ? '' : ' (without --expose-gc this figure means little)'),
  );
}

/** How long a single request takes that comes every 10 ms, with nothing else under way. */
async function measurePaced(name, request) {
  const times = [];
  for (let index = 0; index < PACED_REQUESTS; index++) {
    await new Promise((resolve) => setTimeout(resolve, PACED_MS));
    const started = performance.now();
    await request();
    times.push(performance.now() - started);
  }
  times.sort((one, other) => one - other);
  const at = (share) => times[Math.floor((times.length - 1) * share)].toFixed(3);
  console.log(`${name}, one every ${PACED_MS} ms: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
}

const PACED_MS = 10;
const PACED_REQUESTS = 1000;

console.log(`${workerBin}, ${count} requests, ${inFlight} in flight`);
await measure('setMaxIncomingBitrate', () => transport.setMaxIncomingBitrate(1_000_000));
await measure('transport.getStats', () => transport.getStats());
await measurePaced('transport.getStats', () => transport.getStats());
worker.close();
