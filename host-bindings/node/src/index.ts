// What an application imports.
import { EnhancedEventEmitter } from './emitter';
import { Logger } from './log';
import type { AppData, Observer, ObserverEvents } from './types';
import { defaultWorkerBin } from './worker/locate';
import { WorkerProcess } from './worker/process';
import type { Worker, WorkerSettings } from './worker/types';
import { WorkerImpl } from './worker/worker';

export type * as types from './types';
export * as errors from './errors';
export * as extras from './extras';
export { setLogEventListeners } from './log';
export * as ortc from './ortc';
export { parseScalabilityMode } from './ortc/scalability-mode';
export { getSupportedRtpCapabilities } from './ortc/supported';
export { version } from './version';
export { workersForTesting } from './worker/worker';

const logger = new Logger('tidegate');

/** Tells of every worker that is made. */
export const observer: Observer = new EnhancedEventEmitter<ObserverEvents>();

/**
 * The worker program that is used where the settings name none: what the environment variable `TIDEGATE_WORKER_BIN` says,
 * else the platform package's, else what cargo built in the repository that this package lies in.
 */
export const workerBin: string = defaultWorkerBin();

/**
 * Starts a worker and waits for its greeting.
 *
 * @throws TypeError for wrong settings; Error, with a sentence that says what to do, when the program is not there, does
 * not run, does not greet in time, or is of another version.
 */
export async function createWorker<WorkerAppData extends AppData = AppData>(
  settings: WorkerSettings<WorkerAppData> = {},
): Promise<Worker<WorkerAppData>> {
  if (settings.libwebrtcFieldTrials) {
    logger.warn(
      'createWorker(): there is no libwebrtc in the worker; libwebrtcFieldTrials is left out of account',
    );
  }
  const process = await WorkerProcess.start({ workerBin, ...settings });
  const worker = new WorkerImpl<WorkerAppData>(process, settings.appData);
  observer.safeEmit('newworker', worker);
  return worker;
}
