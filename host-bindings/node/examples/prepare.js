/**
 * Makes what an example needs, where it is not there yet: its packages, the package `tidegate` and the worker. For
 * examples in this repository; an application of your own installs `tidegate` and needs none of this.
 *
 *     node ../prepare.js
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const host = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const repository = path.dirname(path.dirname(host));

/**
 * Installs what `package-lock.json` names, unless it was installed before.
 *
 * @param {string} folder
 */
function install(folder) {
  const lock = readFileSync(path.join(folder, 'package-lock.json'), 'utf8');
  // A copy of the lock file that was installed from.
  const installed = path.join(folder, 'node_modules', '.installed-from');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  run('npm', ['ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
  writeFileSync(installed, lock);
}

/** Builds the package `tidegate`, unless nothing changed since. */
function build() {
  const [sources, built] = [newest(path.join(host, 'src')), path.join(host, 'dist', 'esm', 'index.js')];
  if (existsSync(built) && statSync(built).mtimeMs > sources) return;
  run(process.execPath, [path.join('scripts', 'build.js')], host);
}

/** @param {string} folder */
function newest(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return Math.max(...files.map((file) => statSync(path.join(folder, file)).mtimeMs));
}

/**
 * @param {string} program
 * @param {string[]} programArguments
 * @param {string} folder
 */
function run(program, programArguments, folder) {
  execFileSync(program, programArguments, { cwd: folder, stdio: ['ignore', 2, 2] });
}

try {
  install(host);
  build();
  install(process.cwd());
  if (!process.env['TIDEGATE_WORKER_BIN']) {
    run('cargo', ['build', '--quiet', '--locked', '--release', '--package', 'tidegate-worker'], repository);
  }
} catch (error) {
  console.error(`this example cannot be prepared: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
