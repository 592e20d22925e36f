import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as tidegate from 'tidegate';
import * as errors from 'tidegate/errors';
import * as extras from 'tidegate/extras';

const require = createRequire(import.meta.url);

test('both module systems see the same things under the same names', async () => {
  for (const entry of ['tidegate', 'tidegate/types', 'tidegate/errors', 'tidegate/ortc', 'tidegate/extras']) {
    const required = require(entry) as Record<string, unknown>;
    const { default: all = required, ...imported } = (await import(entry)) as Record<string, unknown>;
    assert.equal(all, required, `${entry}: default`);
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), entry);
    for (const name of Object.keys(required)) {
      assert.equal(imported[name], required[name], `${entry}: ${name}`);
    }
  }
  assert.equal(tidegate.errors.NotFoundError, errors.NotFoundError);
  assert.equal(tidegate.extras.EnhancedEventEmitter, extras.EnhancedEventEmitter);
});

test('the version is that of package.json', () => {
  const manifest = JSON.parse(fs.readFileSync(require.resolve('tidegate/package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal(tidegate.version, manifest.version);
});
