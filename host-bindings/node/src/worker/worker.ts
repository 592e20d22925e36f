import { checkAppData } from '../check';
import { EnhancedEventEmitter } from '../emitter';
import { WorkerClosedError } from '../errors';
import { Logger } from '../log';
import * as ortc from '../ortc';
import { RouterImpl } from '../router/router';
import type { Router, RouterOptions } from '../router/types';
import { listenInfosToWire } from '../transport/options';
import { WebRtcServerImpl } from '../transport/webrtc-server';
import type { WebRtcServer, WebRtcServerOptions } from '../transport/webrtc-server-types';
import type { AppData } from '../types';
import type { Channel } from '../channel/channel';
import type { WorkerProcess } from './process';
import { checkLogLevel, checkLogTags } from './settings';
import type {
  Worker,
  WorkerDump,
  WorkerEvents,
  WorkerMetrics,
  WorkerObserver,
  WorkerObserverEvents,
  WorkerResourceUsage,
  WorkerUpdateableSettings,
} from './types';

const logger = new Logger('Worker');

/** Workers that are not closed. Just for testing purposes. */
export const workersForTesting = new Set<Worker>();

export class WorkerImpl<WorkerAppData extends AppData = AppData>
  extends EnhancedEventEmitter<WorkerEvents>
  implements Worker<WorkerAppData>
{
  readonly #process: WorkerProcess;
  readonly #channel: Channel;
  readonly #pid: number;
  readonly #webRtcServers = new Set<WebRtcServerImpl>();
  readonly #routers = new Set<RouterImpl>();
  readonly #observer: WorkerObserver = new EnhancedEventEmitter<WorkerObserverEvents>();
  #appData: WorkerAppData;
  #closed = false;
  #died = false;
  #subprocessClosed = false;

  /** Of a process that greeted. */
  constructor(process: WorkerProcess, appData: WorkerAppData | undefined) {
    super();
    this.#process = process;
    this.#channel = process.channel;
    this.#pid = process.pid;
    this.#appData = appData ?? ({} as WorkerAppData);
    workersForTesting.add(this);
    this.on('listenererror', (eventName, error) => {
      logger.error(`a listener of the worker threw at '${String(eventName)}' [pid:${this.#pid}]`, error);
    });
    process.own({
      onWorkerEvent: (event) => {
        if (event.type === 'memoryLimit') {
          const { limitBytes, dropped } = event;
          logger.warn(
            `packet memory limit of ${limitBytes} bytes reached, ${dropped} packets dropped so far [pid:${this.#pid}]`,
          );
          this.safeEmit('memorylimit', { limitBytes, dropped });
        }
      },
      onDied: (error) => {
        this.#onDied(error);
      },
      onSignal: () => {
        this.close();
      },
      onGone: () => {
        this.#onGone();
      },
    });
  }

  get pid(): number {
    return this.#pid;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get died(): boolean {
    return this.#died;
  }

  get subprocessClosed(): boolean {
    return this.#subprocessClosed;
  }

  get appData(): WorkerAppData {
    return this.#appData;
  }

  set appData(appData: WorkerAppData) {
    this.#appData = appData;
  }

  get observer(): WorkerObserver {
    return this.#observer;
  }

  /** Just for testing purposes. */
  get webRtcServersForTesting(): Set<WebRtcServer> {
    return this.#webRtcServers;
  }

  /** Just for testing purposes. */
  get routersForTesting(): Set<Router> {
    return this.#routers;
  }

  /** Just for testing purposes. */
  get channelForTesting(): Channel {
    return this.#channel;
  }

  close(): void {
    if (this.#shut(new WorkerClosedError('the worker was closed'))) {
      this.#process.close();
      this.#observer.safeEmit('close');
    }
  }

  /** False when it was closed already. */
  #shut(error: WorkerClosedError): boolean {
    if (this.#closed) {
      return false;
    }
    this.#closed = true;
    workersForTesting.delete(this);
    this.#channel.end(error);
    for (const router of this.#routers) {
      router.workerClosed();
    }
    this.#routers.clear();
    for (const server of this.#webRtcServers) {
      server.workerClosed();
    }
    this.#webRtcServers.clear();
    return true;
  }

  #onDied(error: Error): void {
    logger.error(error.message);
    this.#died = true;
    this.#subprocessClosed = true;
    if (this.#shut(new WorkerClosedError(error.message))) {
      this.safeEmit('died', error);
      this.safeEmit('subprocessclose');
      this.#observer.safeEmit('close');
    }
  }

  #onGone(): void {
    if (!this.#subprocessClosed) {
      this.#subprocessClosed = true;
      this.safeEmit('subprocessclose');
    }
  }

  async dump(): Promise<WorkerDump> {
    const dump = await this.#channel.request({ type: 'dumpWorker' }, (reply) =>
      reply.type === 'workerDump' ? reply.value : undefined,
    );
    const { routerIds, ...counts } = dump;
    const routers = routerIds.map((id) => this.#channel.nameOf(id) ?? `closed:${id}`);
    const names = this.#channel.names();
    return {
      ...counts,
      webRtcServerIds: [...this.#webRtcServers].map((server) => server.id),
      routerIds: routers,
      channelMessageHandlers: { channelRequestHandlers: names, channelNotificationHandlers: [...names] },
    };
  }

  async getResourceUsage(): Promise<WorkerResourceUsage> {
    const usage = await this.#channel.request({ type: 'getResourceUsage' }, (reply) =>
      reply.type === 'resourceUsage' ? reply.value : undefined,
    );
    return {
      ru_utime: usage.ruUtime,
      ru_stime: usage.ruStime,
      ru_maxrss: usage.ruMaxrss,
      ru_ixrss: usage.ruIxrss,
      ru_idrss: usage.ruIdrss,
      ru_isrss: usage.ruIsrss,
      ru_minflt: usage.ruMinflt,
      ru_majflt: usage.ruMajflt,
      ru_nswap: usage.ruNswap,
      ru_inblock: usage.ruInblock,
      ru_oublock: usage.ruOublock,
      ru_msgsnd: usage.ruMsgsnd,
      ru_msgrcv: usage.ruMsgrcv,
      ru_nsignals: usage.ruNsignals,
      ru_nvcsw: usage.ruNvcsw,
      ru_nivcsw: usage.ruNivcsw,
    };
  }

  async getMetrics(): Promise<WorkerMetrics> {
    const { values, histograms } = await this.#channel.request({ type: 'getMetrics' }, (reply) =>
      reply.type === 'metrics' ? reply.value : undefined,
    );
    return {
      values: Object.fromEntries(values.map(({ name, value }) => [name, value])),
      histograms: Object.fromEntries(histograms.map(({ name, buckets, sum }) => [name, { buckets, sum }])),
    };
  }

  async updateSettings({ logLevel, logTags }: WorkerUpdateableSettings<WorkerAppData> = {}): Promise<void> {
    await this.#channel.done({
      type: 'updateSettings',
      logLevel: logLevel === undefined ? undefined : checkLogLevel(logLevel),
      logTags: logTags === undefined ? undefined : checkLogTags(logTags),
    });
  }

  async createWebRtcServer<WebRtcServerAppData extends AppData = AppData>({
    listenInfos,
    appData,
  }: WebRtcServerOptions<WebRtcServerAppData>): Promise<WebRtcServer<WebRtcServerAppData>> {
    checkAppData(appData);
    const wireId = this.#channel.newId();
    const wire = listenInfosToWire(listenInfos);
    return this.#channel.request(
      { type: 'webRtc', value: { type: 'createServer', server: wireId, listenInfos: wire } },
      (reply) => {
        if (reply.type !== 'done') {
          return undefined;
        }
        const server = new WebRtcServerImpl<WebRtcServerAppData>(
          this.#channel,
          wireId,
          { appData },
          (closed) => {
            this.#webRtcServers.delete(closed);
          },
        );
        this.#webRtcServers.add(server);
        this.#observer.safeEmit('newwebrtcserver', server);
        return server;
      },
      { undo: { type: 'webRtc', value: { type: 'closeServer', server: wireId } } },
    );
  }

  async createRouter<RouterAppData extends AppData = AppData>({
    mediaCodecs,
    appData,
  }: RouterOptions<RouterAppData> = {}): Promise<Router<RouterAppData>> {
    checkAppData(appData);
    const rtpCapabilities = ortc.generateRouterRtpCapabilities(mediaCodecs);
    const wireId = this.#channel.newId();
    return this.#channel.request(
      { type: 'createRouter', router: wireId },
      (reply) => {
        if (reply.type !== 'done') {
          return undefined;
        }
        const given = { appData, rtpCapabilities };
        const router = new RouterImpl<RouterAppData>(this.#channel, wireId, given, (closed) => {
          this.#routers.delete(closed);
        });
        this.#routers.add(router);
        this.#observer.safeEmit('newrouter', router);
        return router;
      },
      { undo: { type: 'closeRouter', router: wireId } },
    );
  }
}
