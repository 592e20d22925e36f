// Compiles the tests and runs them with Node's own test runner: `node scripts/test.js [NAME...]` takes files by the
// beginnings of their names. They test what `npm run build` made last.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(root, 'out');
const require = createRequire(import.meta.url);
const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
/** A test that takes longer waits for something that does not come. */
const TEST_MS_MAX = 120_000;
const wanted = process.argv.slice(2);

function run(args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
}

fs.rmSync(out, { recursive: true, force: true });
run([tsc, '--project', path.join(root, 'test', 'tsconfig.json')]);
const files = fs
  .readdirSync(out, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.startsWith(name)))
  .map((file) => path.join('out', file));
if (files.length === 0) {
  console.error(`no test file begins with ${wanted.join(' or ')}`);
  process.exit(1);
}
run(['--unhandled-rejections=strict', '--expose-gc', '--test', `--test-timeout=${TEST_MS_MAX}`, ...files]);
