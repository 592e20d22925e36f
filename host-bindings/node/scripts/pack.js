// Packs what a user installs: `tidegate`, and the worker for this platform.
//
//     node scripts/pack.js FOLDER                   builds the worker first: static, stripped, for any Linux
//     node scripts/pack.js FOLDER --worker FILE     takes this one, for tries: what is linked into it nobody knows, so the
//                                                   licences of that are not beside it
//     node scripts/pack.js FOLDER --built           takes what `npm run build` made last
//
// Two tarballs come into FOLDER; their names, and what they hold, are printed as JSON. Which package has the worker is
// written into the packed `package.json` only: in the repository the worker is built by cargo.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { workerLicences } from './licences.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const repository = path.dirname(path.dirname(root));

/** Node's `os` and `arch` of what we build for, and Rust's name of it. */
const PLATFORMS = {
  'linux-x64': { target: 'x86_64-unknown-linux-gnu', os: 'linux', cpu: 'x64' },
  'linux-arm64': { target: 'aarch64-unknown-linux-gnu', os: 'linux', cpu: 'arm64' },
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { worker: { type: 'string' }, built: { type: 'boolean' } },
});
const [folder] = positionals;
const platform = `${process.platform}-${process.arch}`;
const { target, os: system, cpu } = PLATFORMS[platform] ?? {};
if (positionals.length !== 1 || !target) {
  console.error(target ? 'usage: node scripts/pack.js FOLDER [--worker FILE]' : `no worker for ${platform}`);
  process.exit(2);
}
fs.mkdirSync(folder, { recursive: true });
const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'tidegate-pack-'));
try {
  const own = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const workerPackage = `@tidegate/worker-${platform}`;
  console.log(JSON.stringify([packHost(own, workerPackage), packWorker(own, workerPackage)], null, 2));
} finally {
  fs.rmSync(stage, { recursive: true, force: true });
}

/** The package itself. Its worker is of the same version: they refuse to talk to each other otherwise. */
function packHost(own, workerPackage) {
  if (!values.built) {
    run(process.execPath, [path.join('scripts', 'build.js')], root);
  }
  const place = path.join(stage, 'tidegate');
  fs.cpSync(path.join(root, 'dist'), path.join(place, 'dist'), { recursive: true });
  fs.copyFileSync(path.join(root, 'README.md'), path.join(place, 'README.md'));
  copyLicences(place);
  return pack(place, {
    ...own,
    scripts: undefined,
    devDependencies: undefined,
    files: [...own.files, 'LICENSE-*'],
    optionalDependencies: { [workerPackage]: own.version },
  });
}

/** The worker, and nothing but it. */
function packWorker(own, workerPackage) {
  const place = path.join(stage, 'worker');
  fs.mkdirSync(place);
  const program = path.join(place, 'tidegate-worker');
  fs.copyFileSync(values.worker ?? buildWorker(), program);
  fs.chmodSync(program, 0o755);
  copyLicences(place);
  if (!values.worker) {
    fs.writeFileSync(path.join(place, 'LICENSES.txt'), workerLicences(repository, target));
  }
  fs.writeFileSync(
    path.join(place, 'README.md'),
    `# ${workerPackage}\n\nThe worker of the package \`tidegate\`, a program for ${system} on ${cpu}. Install that one.\n`,
  );
  const { version, license, engines } = own;
  return pack(place, {
    name: workerPackage,
    version,
    description: `The worker of the package tidegate for ${platform}`,
    license,
    engines,
    os: [system],
    cpu: [cpu],
    // Yarn otherwise leaves programs in archives, from which they cannot be started.
    preferUnplugged: true,
    files: ['tidegate-worker', 'LICENSE-*', 'LICENSES.txt'],
  });
}

/** With the C library inside it runs on any distribution, and takes the least memory. */
function buildWorker() {
  // Not asking for debug information and then stripping it halves the time.
  const profile = { CARGO_PROFILE_RELEASE_STRIP: 'symbols', CARGO_PROFILE_RELEASE_DEBUG: 'none' };
  const environment = { ...process.env, ...profile, RUSTFLAGS: '-C target-feature=+crt-static' };
  // `--target`, though it is this one: so procedural macros, which cannot be static, are built without the flag.
  const what = ['--locked', '--release', '--package', 'tidegate-worker', '--target', target];
  run('cargo', ['build', ...what], repository, environment);
  const folderOfCargo = process.env.CARGO_TARGET_DIR ?? path.join(repository, 'target');
  return path.join(folderOfCargo, target, 'release', 'tidegate-worker');
}

function copyLicences(place) {
  for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    fs.copyFileSync(path.join(repository, file), path.join(place, file));
  }
}

function pack(place, description) {
  fs.writeFileSync(path.join(place, 'package.json'), `${JSON.stringify(description, null, 2)}\n`);
  const how = ['pack', '--json', '--ignore-scripts', '--pack-destination', path.resolve(folder)];
  const [packed] = JSON.parse(
    execFileSync('npm', how, { cwd: place, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }),
  );
  const { name, filename, size, unpackedSize, files } = packed;
  return {
    name,
    file: path.resolve(folder, filename),
    size,
    unpackedSize,
    files: files.map((one) => one.path),
  };
}

function run(program, programArguments, cwd, env = process.env) {
  // Standard output is for the result.
  execFileSync(program, programArguments, { cwd, env, stdio: ['ignore', 2, 2] });
}
