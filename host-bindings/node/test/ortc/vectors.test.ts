import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { evaluate, type Input } from './call.js';
import { repository } from '../repository.js';

type Vector = { name: string; function: string; input: Input } & (
  { output: unknown } | { error: { kind: string; field: string } }
);

const vectors = JSON.parse(
  fs.readFileSync(path.join(repository, 'protocol/vectors/ortc.json'), 'utf8'),
) as Vector[];

test('every vector of the protocol comes out as it is written', () => {
  assert.ok(vectors.length >= 679, `${vectors.length} vectors`);
  for (const vector of vectors) {
    const before = structuredClone(vector.input);
    const outcome = evaluate(vector.function, vector.input);
    const expected = 'error' in vector ? { error: vector.error } : { output: vector.output };
    assert.deepEqual(outcome, expected, `${vector.function} ${vector.name}`);
    assert.deepEqual(vector.input, before, `${vector.function} ${vector.name} changed its arguments`);
  }
});
