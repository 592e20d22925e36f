import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { repository } from './repository.js';

test('everything that is known of the API is so on real objects of a real worker', () => {
  const script = path.join(repository, 'host-bindings/node/scripts/api-check.js');
  const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  const [, held, total] = /^(\d+) of (\d+) facts hold$/m.exec(stdout) ?? [];
  assert.equal(held, total);
  assert.ok(Number(total) > 900, `${total ?? 'no'} facts`);
});
