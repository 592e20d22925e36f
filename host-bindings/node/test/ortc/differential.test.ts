import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { repository } from '../repository.js';
import { evaluate, type Input, type Outcome } from './call.js';
import { type Call, randomCall } from './generator.js';
import { Random } from './random.js';

/** How many calls, and from which seed: change them to look further (`ORTC_CALLS=1000000 ORTC_SEED=7`). */
const CALLS = Number(process.env.ORTC_CALLS ?? 10_000);
const SEED = Number(process.env.ORTC_SEED ?? 1);

/** Builds the Rust side's program and says where it is. */
function answering(): string {
  const built = spawnSync(
    'cargo',
    [
      'build',
      '--quiet',
      '--package',
      'tidegate-protocol',
      '--example',
      'ortc-answers',
      '--message-format=json',
    ],
    { cwd: repository, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 },
  );
  assert.equal(built.status, 0, `cargo must build ortc-answers: ${built.error?.message ?? 'see above'}`);
  const messages = built.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const program = messages
    .map((message) => message.executable)
    .find((executable) => typeof executable === 'string');
  assert.ok(program, 'cargo names the program');
  return path.normalize(program);
}

/** What Rust makes of calls, in their order. */
async function* answers(calls: readonly Call[]): AsyncGenerator<Outcome> {
  const program = spawn(answering(), { stdio: ['pipe', 'pipe', 'inherit'] });
  const written = (async () => {
    for (const call of calls) {
      if (!program.stdin.write(`${JSON.stringify(call)}\n`)) {
        await new Promise((resolve) => program.stdin.once('drain', resolve));
      }
    }
    program.stdin.end();
  })();
  for await (const line of createInterface({ input: program.stdout })) {
    yield JSON.parse(line) as Outcome;
  }
  await written;
}

/** The first difference in a form that can be run again. */
function difference(call: Call, ours: Outcome, theirs: Outcome): string {
  return `${call.function}\n input ${JSON.stringify(call.input)}\n node ${JSON.stringify(ours)}\n rust ${JSON.stringify(theirs)}`;
}

test('random calls come out as they do in Rust', async (context) => {
  const random = new Random(SEED);
  const calls = Array.from({ length: CALLS }, () => randomCall(random));
  const counts: Record<string, { outputs: number; invalid: number; unsupported: number; misfits: number }> =
    {};
  const differences: string[] = [];
  let index = 0;
  for await (const theirs of answers(calls)) {
    const call = calls[index]!;
    index += 1;
    const ours = evaluate(call.function, call.input as Input);
    const count = (counts[call.function] ??= { outputs: 0, invalid: 0, unsupported: 0, misfits: 0 });
    if ('output' in theirs) {
      count.outputs += 1;
    } else if (theirs.error.field === undefined) {
      // What is not of the dictionary's types has no field in Rust, where JSON is read before negotiation begins.
      count.misfits += 1;
      if ('error' in ours) {
        ours.error.field = undefined;
      }
      theirs.error.field = undefined;
    } else {
      count[theirs.error.kind === 'Unsupported' ? 'unsupported' : 'invalid'] += 1;
    }
    try {
      assert.deepStrictEqual(ours, theirs);
    } catch {
      differences.push(difference(call, ours, theirs));
    }
  }
  assert.equal(index, calls.length, 'an answer for every call');
  context.diagnostic(`seed ${SEED}, ${JSON.stringify(counts)}`);
  assert.equal(differences.length, 0, `${differences.length} differ:\n${differences.slice(0, 5).join('\n')}`);
  const total = (of: 'outputs' | 'invalid' | 'unsupported' | 'misfits') =>
    Object.values(counts).reduce((sum, count) => sum + count[of], 0);
  context.diagnostic(
    `${index} calls: ${total('outputs')} succeed; ${total('invalid')} are invalid, ${total('unsupported')} unsupported, ` +
      `${total('misfits')} not of the right types`,
  );
  assert.ok(
    total('outputs') > 0.4 * index && total('outputs') < 0.8 * index,
    'a test of successes and of refusals',
  );
  for (const [name, { outputs, ...refused }] of Object.entries(counts)) {
    const isRefused = refused.invalid > 0 && refused.misfits > 0;
    assert.ok(
      outputs > 100 && isRefused !== (name === 'parseScalabilityMode'),
      `${name}: both, but any text is a mode`,
    );
  }
});
