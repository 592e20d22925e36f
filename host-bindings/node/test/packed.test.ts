// What a user installs: both tarballs come into an empty folder without network and without scripts, and applications
// there, of both module systems, start the worker and relay packets.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { built, repository } from './repository.js';

const host = path.join(repository, 'host-bindings', 'node');

interface Tarball {
  name: string;
  file: string;
  files: string[];
}

test(
  'the tarballs install offline without scripts, and applications relay packets',
  { timeout: 120_000 },
  async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidegate-packed-'));
    t.after(() => {
      fs.rmSync(folder, { recursive: true });
    });
    const worker = process.env['TIDEGATE_WORKER_BIN'] ?? built('tidegate-worker');
    const pack = [
      path.join(host, 'scripts', 'pack.js'),
      path.join(folder, 'tarballs'),
      '--built',
      '--worker',
      worker,
    ];
    const packed = JSON.parse(run(process.execPath, pack, host)) as Tarball[];
    holdOnlyWhatIsNeeded(packed);

    const application = path.join(folder, 'application');
    fs.cpSync(path.join(host, 'test', 'packed'), application, { recursive: true });
    fs.writeFileSync(path.join(application, 'package.json'), '{ "private": true }\n');
    const files = packed.map(({ file }) => file);
    run(
      'npm',
      ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...files],
      application,
    );
    const installed = fs
      .readdirSync(path.join(application, 'node_modules'))
      .filter((name) => !name.startsWith('.'));
    assert.deepEqual(installed.sort(), ['@tidegate', 'tidegate']);

    // The worker that was installed, and no other.
    const environment = { PATH: process.env['PATH'], HOME: folder };
    for (const script of ['relay.mjs', 'relay.cjs']) {
      const { stdout } = await promisify(execFile)(process.execPath, [script], {
        cwd: application,
        env: environment,
      });
      const told = JSON.parse(stdout) as { sent: number; received: number; counted: number; worker: string };
      assert.deepEqual([told.received, told.counted], [told.sent, told.sent], `${script}: ${stdout}`);
      const own = fs.realpathSync(path.join(application, 'node_modules', '@tidegate'));
      assert.ok(told.worker.startsWith(own), `${script} ran ${told.worker}`);
    }
    isTypedForBothModuleSystems(application);
  },
);

/** No sources, no tests, no settings of tools; and whoever installs `tidegate` gets the worker of its version. */
function holdOnlyWhatIsNeeded([tidegate, worker]: Tarball[]): void {
  assert.ok(tidegate && worker);
  const plain =
    /^(package\.json|README\.md|LICENSE-(APACHE|MIT)|dist\/(cjs|esm)\/.*(\.js|\.d\.ts|package\.json))$/;
  assert.deepEqual(
    tidegate.files.filter((file) => !plain.test(file)),
    [],
  );
  const files = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'tidegate-worker'];
  assert.deepEqual([...worker.files].sort(), files);
  const manifest = JSON.parse(run('tar', ['xzOf', tidegate.file, 'package/package.json'])) as {
    version: string;
    dependencies?: object;
    scripts?: object;
    optionalDependencies: object;
  };
  assert.deepEqual(manifest.optionalDependencies, { [worker.name]: manifest.version });
  assert.deepEqual([manifest.dependencies, manifest.scripts], [undefined, undefined]);
}

/** An application in TypeScript finds the types of what is installed, however it is compiled. */
function isTypedForBothModuleSystems(application: string): void {
  const code = `
import * as tidegate from 'tidegate';
import type { Router } from 'tidegate/types';
export async function open(): Promise<Router> {
  const worker: tidegate.types.Worker = await tidegate.createWorker();
  return worker.createRouter();
}
// @ts-expect-error the level is not one of them
export const wrong = tidegate.createWorker({ logLevel: 'chicken' });
`;
  for (const name of ['typed.mts', 'typed.cts']) {
    fs.writeFileSync(path.join(application, name), code);
  }
  const require = createRequire(import.meta.url);
  const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const options =
    '--noEmit --strict --target es2022 --module nodenext --moduleResolution nodenext --types node'.split(' ');
  const typeRoots = path.join(host, 'node_modules', '@types');
  run(process.execPath, [tsc, ...options, '--typeRoots', typeRoots, 'typed.mts', 'typed.cts'], application);
}

function run(program: string, programArguments: string[], cwd?: string): string {
  return execFileSync(program, programArguments, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
