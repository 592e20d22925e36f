import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { repository } from '../repository.js';

const require = createRequire(import.meta.url);
const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
const root = path.join(repository, 'host-bindings/node');
const source = fs.readFileSync(path.join(root, 'test/types/application.ts'), 'utf8');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidegate-types-'));

after(() => {
  fs.rmSync(folder, { recursive: true });
});

/** A project of its own that has this package installed. */
function project(name: string, type: 'module' | 'commonjs'): string {
  const place = path.join(folder, name);
  fs.mkdirSync(path.join(place, 'node_modules/@types'), { recursive: true });
  fs.symlinkSync(root, path.join(place, 'node_modules/tidegate'));
  fs.symlinkSync(path.join(root, 'node_modules/@types/node'), path.join(place, 'node_modules/@types/node'));
  fs.writeFileSync(path.join(place, 'package.json'), JSON.stringify({ type }));
  fs.writeFileSync(path.join(place, 'application.ts'), source);
  return place;
}

/** What the compiler says about a project's files. */
function compile(place: string): string {
  const strict = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--skipLibCheck'];
  const target = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023', '--types', 'node'];
  const files = fs.readdirSync(place).filter((file) => file.endsWith('.ts'));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [tsc, '--ignoreConfig', ...strict, ...target, ...files],
    { cwd: place, encoding: 'utf8' },
  );
  return stdout + stderr;
}

test('an application that uses every type compiles as an ES module', () => {
  assert.equal(compile(project('module', 'module')), '');
});

test('it compiles as CommonJS too, and the compiler sees what is wrong in the file beside it', () => {
  const place = project('commonjs', 'commonjs');
  const wrong = "import type { types } from 'tidegate';\nexport const worker: types.Worker = 1;\n";
  fs.writeFileSync(path.join(place, 'wrong.ts'), wrong);
  const said = compile(place);
  assert.match(said, /^wrong\.ts\(2,14\): error TS2322/);
  assert.doesNotMatch(said, /application\.ts/);
});

test('the application uses every exported type', () => {
  const facts = JSON.parse(fs.readFileSync(path.join(root, 'scripts/api-facts.json'), 'utf8')) as {
    types: string[];
  };
  // Those of events and observers are in use where listeners are added.
  const named = facts.types
    .map((type) => type.split('<')[0]!)
    .filter((type) => !/(Events|Observer)$/.test(type));
  const unused = named.filter((type) => !new RegExp(`\\b${type}\\b`).test(source));
  assert.deepEqual(unused, []);
});
