/**
 * An echo room for the signalling tests of the Rust example, which run against both: limits and settings come as an
 * argument, questions as lines of standard input; each is answered by a line of JSON. Ends with its standard input.
 *
 *     node test/house.js '{"limits": {...}, "worker": {...}}'
 */

import { createInterface } from 'node:readline';

import { Hall } from '../src/hall.js';
import { serve } from '../src/web.js';

/** @typedef {{ limits: import('../src/limits.js').Limits, worker: import('tidegate').types.WorkerSettings }} Options */

const { limits, worker } = /** @type {Options} */ (JSON.parse(process.argv[2] ?? '{}'));
const hall = await Hall.open({ ips: ['127.0.0.1'], port: 0, worker }, limits);
const server = await serve(hall, { host: '127.0.0.1', port: 0 });

/** @type {Record<string, () => unknown>} */
const answers = {
  port: () => server.address.port,
  workerPid: () => hall.worker.pid,
  async held() {
    const { routerIds, transports, producers, consumers, panicsContained } = await hall.worker.dump();
    return { routers: routerIds.length, others: transports + producers + consumers, panicsContained };
  },
};

for await (const question of createInterface({ input: process.stdin })) {
  const answer = await answers[question]?.();
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await server.close();
