// Where the worker program is.
//
// Knows places. Does not start anything. Called once, when the package is loaded, and for a setting of its own.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/**
 * The worker program that is used where `workerBin` of the settings names none: what the environment variable
 * `TIDEGATE_WORKER_BIN` says, else the platform package's, else what cargo built in the repository that this package lies
 * in. If it is nowhere, the place where the last would be.
 */
export function defaultWorkerBin(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment[VARIABLE];
  if (named) {
    return path.resolve(named);
  }
  const places = [...inPlatformPackage(), ...inRepository()];
  return places.find(isFile) ?? places.at(-1) ?? PROGRAM;
}

/** What to do about a program that is not there. */
export function howToGetOne(): string {
  return (
    `install the package ${platformPackage()}, build the worker with \`cargo build --release -p tidegate-worker\`, or ` +
    `name the program in the setting workerBin or the environment variable ${VARIABLE}`
  );
}

/** The package that holds the program for this platform. */
export function platformPackage(): string {
  return `@tidegate/worker-${process.platform}-${process.arch}`;
}

function inPlatformPackage(): string[] {
  try {
    const manifest = createRequire(__filename).resolve(`${platformPackage()}/package.json`);
    return [path.join(path.dirname(manifest), 'bin', PROGRAM), path.join(path.dirname(manifest), PROGRAM)];
  } catch {
    return [];
  }
}

/** `host-bindings/node/dist/cjs/worker` is where this file is, in a checkout. */
function inRepository(): string[] {
  const top = path.resolve(__dirname, '../../../../..');
  return ['release', 'debug'].map((profile) => path.join(top, 'target', profile, PROGRAM));
}

function isFile(place: string): boolean {
  return fs.statSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
}

const VARIABLE = 'TIDEGATE_WORKER_BIN';
/** File name of the worker, and how it is called in a list of processes. */
export const PROGRAM = 'tidegate-worker';
