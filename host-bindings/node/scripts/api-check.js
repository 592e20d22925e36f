// Compares this package with what mediasoup's API is known to be (scripts/api-facts.json), on real objects of a real
// worker: `node scripts/api-check.js`. Prints each fact that does not hold, then `N of N`; exits with 1 unless all do.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { checkBehaviour, checkEnd } from './api-check/behaviour.js';
import { Report } from './api-check/report.js';
import { Scene } from './api-check/scene.js';
import { checkTypes } from './api-check/types.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const facts = JSON.parse(fs.readFileSync(path.join(root, 'scripts', 'api-facts.json'), 'utf8'));
const report = new Report();

async function checkModules() {
  for (const [name, members] of Object.entries(facts.modules)) {
    const imported = await import(name);
    const required = require(name);
    for (const member of members) {
      report.fact(`import of ${name}: ${member}`, member in imported);
      report.fact(`require of ${name}: ${member}`, member in required);
    }
  }
}

/** Members, methods, dump and statistics of the scene's objects, before anything happens to them. */
async function checkObjects(objects) {
  for (const [name, known] of Object.entries(facts.objects)) {
    const object = objects[name];
    if (object === undefined) {
      continue;
    }
    for (const [member, expected] of Object.entries(known.members)) {
      checkMember(name, object, member, expected);
    }
    for (const method of words(known.methods)) {
      report.fact(`${name}.${method}()`, typeof object[method] === 'function', 'there is no such method');
    }
    await checkAppData(name, object);
    await checkKeys(`${name}.dump()`, known.dump, () => object.dump());
    await checkKeys(`${name}.getResourceUsage()`, name === 'worker' && facts.resourceUsage, () =>
      object.getResourceUsage(),
    );
  }
}

function checkMember(name, object, member, expected) {
  const value = object[member];
  const described = typeof value === 'object' ? JSON.stringify(value)?.slice(0, 80) : String(value);
  report.fact(`${name}.${member}`, member in object && isExpected(value, expected), `it is ${described}`);
}

function isExpected(value, expected) {
  switch (expected) {
    case 'string':
    case 'number':
    case 'undefined':
      return typeof value === expected && value !== '';
    case 'object':
      return typeof value === 'object' && value !== null;
    case 'array':
      return Array.isArray(value) && value.length > 0;
    case 'emitter':
      return typeof value?.on === 'function';
    default:
      return typeof expected === 'string' ? value === expected.slice(1) : isDeepStrictEqual(value, expected);
  }
}

async function checkAppData(name, object) {
  const before = object.appData;
  await report.attempt(`${name}.appData can be set`, () => {
    object.appData = { mine: 1 };
    if (object.appData?.mine !== 1) {
      throw new Error('it stayed as it was');
    }
  });
  object.appData = before;
}

async function checkKeys(name, keys, get) {
  if (!keys) {
    return;
  }
  const value = await get().catch((error) => error);
  for (const key of words(keys)) {
    report.fact(
      `${name}: ${key}`,
      !(value instanceof Error) && key in value,
      value instanceof Error ? value.message : 'it is not there',
    );
  }
}

/** Statistics have streams once packets have come. */
async function checkStats(objects) {
  for (const [name, known] of Object.entries(facts.objects)) {
    if (known.stats !== undefined) {
      const stats = () => (objects[name] === objects.producer ? objects.producer : objects[name]).getStats();
      const [first] = await stats().catch(() => [{}]);
      await checkKeys(`${name}.getStats()`, known.stats, async () => first ?? {});
      report.fact(`${name}.getStats(): its type`, first?.type === known.statsType, `it is ${first?.type}`);
    }
  }
}

/** Members that the worker has nothing for: there, and refusing what would be right elsewhere with class and sentence. */
async function checkAbsent(objects, errors) {
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' };
  const other = await objects.worker.createRouter();
  const given = {
    'router.createPipeTransport': { listenInfo },
    'router.createDirectTransport': {},
    'router.pipeToRouter': { producerId: objects.producer.id, router: other },
    'webRtcTransport.produceData': { sctpStreamParameters: { streamId: 1 } },
    'webRtcTransport.consumeData': { dataProducerId: 'any' },
    'producer.send': Buffer.alloc(20),
  };
  for (const call of facts.absent.calls) {
    const [name, method] = call.split('.');
    await report.attempt(`${call}() refuses with UnsupportedError`, async () => {
      try {
        await objects[name][method](given[call]);
      } catch (error) {
        if (error instanceof errors.UnsupportedError && error.message.length > 20) {
          return;
        }
        throw new Error(`it refuses with ${error.name}: ${error.message}`, { cause: error });
      }
      throw new Error('it does not refuse');
    });
  }
}

function checkEvents(recorder) {
  for (const [name, known] of Object.entries(facts.objects)) {
    for (const event of words(known.events)) {
      report.fact(`${name} emits ${event}`, recorder.last(name, event) !== undefined, 'it did not');
    }
    for (const event of words(known.observerEvents)) {
      const seen = recorder.last(`${name}.observer`, event);
      report.fact(`${name}.observer emits ${event}`, seen !== undefined, 'it did not');
    }
  }
  report.fact('observer emits newworker', recorder.last('module.observer', 'newworker') !== undefined);
}

function words(text) {
  return text ? text.split(' ') : [];
}

/** The worker's program, built from this repository where it was not named. */
function buildWorker() {
  if (process.env.TIDEGATE_WORKER_BIN === undefined) {
    const repository = path.resolve(root, '../..');
    execFileSync('cargo', ['build', '--quiet', '--package', 'tidegate-worker'], {
      cwd: repository,
      stdio: 'inherit',
    });
    process.env.TIDEGATE_WORKER_BIN = path.join(repository, 'target', 'debug', 'tidegate-worker');
  }
}

buildWorker();
await checkModules();
checkTypes(facts, root, report);
const tidegate = await import('tidegate');
const scene = new Scene(tidegate, facts.objects);
try {
  await scene.open();
  await checkObjects(scene.objects);
  await checkAbsent(scene.objects, tidegate.errors);
  await checkBehaviour(scene.objects, tidegate, report);
  await report.attempt('packets make every event that they should', () => scene.play());
  await checkStats(scene.objects);
  await report.attempt('everything closes from the top down', () => scene.close());
  for (const [member, expected] of Object.entries(facts.objects.deadWorker.members)) {
    checkMember('deadWorker', scene.objects.deadWorker ?? {}, member, expected);
  }
  await checkEnd(scene.objects, tidegate, report);
  checkEvents(scene.recorder);
} catch (error) {
  report.fact('the scene opens', false, String(error?.stack ?? error));
} finally {
  scene.end();
}
for (const failed of report.failed) {
  console.log(failed);
}
console.log(`${report.held} of ${report.total} facts hold`);
process.exitCode = report.failed.length === 0 ? 0 : 1;
