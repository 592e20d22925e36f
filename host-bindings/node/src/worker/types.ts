import type { EnhancedEventEmitter } from '../emitter';
import type { Router, RouterOptions } from '../router/types';
import type { AppData } from '../types';
import type { WebRtcServer, WebRtcServerOptions } from '../transport/webrtc-server-types';

export type WorkerLogLevel = 'debug' | 'warn' | 'error' | 'none';

export type WorkerLogTag =
  | 'info'
  | 'ice'
  | 'dtls'
  | 'rtp'
  | 'srtp'
  | 'rtcp'
  | 'rtx'
  | 'bwe'
  | 'score'
  | 'simulcast'
  | 'svc'
  | 'sctp'
  | 'message';

export type WorkerSettings<WorkerAppData extends AppData = AppData> = {
  /** Up to which level the worker sends log lines. Default 'error'. */
  logLevel?: WorkerLogLevel;
  /** Of which parts it sends debug lines. Default none. */
  logTags?: WorkerLogTag[];
  /**
   * The lowest port for transports that name none. Default 10000.
   * @deprecated Name `portRange` in `TransportListenInfo` instead.
   */
  rtcMinPort?: number;
  /**
   * The highest port for transports that name none. Default 59999.
   * @deprecated Name `portRange` in `TransportListenInfo` instead.
   */
  rtcMaxPort?: number;
  /** PEM file of the DTLS certificate. The worker makes one itself when it is absent. */
  dtlsCertificateFile?: string;
  /** PEM file of the DTLS certificate's private key; both or none. */
  dtlsPrivateKeyFile?: string;
  /** Path of the worker program. Default: see `workerBin` of the package. */
  workerBin?: string;
  /** Taken and left out of account: there is no libwebrtc in the worker. */
  libwebrtcFieldTrials?: string;
  /** How long the worker lets packets gather before it reads them, 0 to 2 milliseconds. Default 0.5; 0 is off. */
  batchInterval?: number;
  /** Whether packets of a video frame that differ by a few bytes are padded to one size. Default true. */
  equalizePadding?: boolean;
  /** The most bytes that packets may hold in the worker, at least 2 MiB. Default 128 MiB. */
  packetMemoryLimit?: number;
  /** How long the worker may take to start, in milliseconds. Default 10,000. */
  startTimeout?: number;
  /** How long an answer of the worker may take, in milliseconds. Default 10,000. */
  requestTimeout?: number;
  appData?: WorkerAppData;
};

/** What `worker.updateSettings()` can change; what is absent stays. */
export type WorkerUpdateableSettings<T extends AppData = AppData> = Pick<
  WorkerSettings<T>,
  'logLevel' | 'logTags'
>;

/** What the process has used so far, from getrusage(2). */
export type WorkerResourceUsage = {
  /** CPU time in user mode, milliseconds. */
  ru_utime: number;
  /** CPU time in the kernel, milliseconds. */
  ru_stime: number;
  /** Largest resident memory, kilobytes. */
  ru_maxrss: number;
  ru_ixrss: number;
  ru_idrss: number;
  ru_isrss: number;
  /** Page faults without I/O. */
  ru_minflt: number;
  /** Page faults with I/O. */
  ru_majflt: number;
  ru_nswap: number;
  ru_inblock: number;
  ru_oublock: number;
  ru_msgsnd: number;
  ru_msgrcv: number;
  ru_nsignals: number;
  /** Voluntary context switches. */
  ru_nvcsw: number;
  /** Involuntary context switches. */
  ru_nivcsw: number;
};

export type WorkerDump = {
  pid: number;
  webRtcServerIds: string[];
  routerIds: string[];
  /** Ids of the entities that requests and events can name. */
  channelMessageHandlers: {
    channelRequestHandlers: string[];
    channelNotificationHandlers: string[];
  };
  /** How many transports, producers, consumers and sockets there are in all. */
  transports: number;
  producers: number;
  consumers: number;
  sockets: number;
  /** Packet buffers in use. */
  packetsInUse: number;
  /** Bytes held against the packet memory limit. */
  packetMemoryBytes: number;
  /** The packet memory limit. */
  packetMemoryLimit: number;
  /** Defects of the worker that were contained. Anything but 0 deserves a report. */
  panicsContained: number;
};

/** Counters, gauges and distributions of a worker, by name. */
export type WorkerMetrics = {
  values: Record<string, number>;
  /** Bucket 0 counts zeros, bucket k values from 2^(k-1) to 2^k - 1, the last also all larger ones. */
  histograms: Record<string, { buckets: number[]; sum: number }>;
};

export type WorkerMemoryLimit = {
  /** The setting, in bytes. */
  limitBytes: number;
  /** Packets dropped for it since the worker started. */
  dropped: number;
};

export type WorkerEvents = {
  /** The worker ended without being closed by this host. Everything in it is closed. */
  died: [Error];
  /** The process is gone, and what it printed is read. */
  subprocessclose: [];
  /** Packets are dropped because the packet memory limit is reached; at most one a second. */
  memorylimit: [WorkerMemoryLimit];
};

export type WorkerObserver = EnhancedEventEmitter<WorkerObserverEvents>;

export type WorkerObserverEvents = {
  close: [];
  newwebrtcserver: [WebRtcServer];
  newrouter: [Router];
};

/** A worker process: one thread, which one core can feed. */
export interface Worker<WorkerAppData extends AppData = AppData> extends EnhancedEventEmitter<WorkerEvents> {
  /** Its process id. */
  get pid(): number;
  /** Whether it was closed or died. */
  get closed(): boolean;
  /** Whether it ended without being closed by this host. */
  get died(): boolean;
  /** Whether the process is gone. */
  get subprocessClosed(): boolean;
  get appData(): WorkerAppData;
  set appData(appData: WorkerAppData);
  get observer(): WorkerObserver;
  /** Closes it and everything in it. Effective at once; the process follows. */
  close(): void;
  /** What it holds. */
  dump(): Promise<WorkerDump>;
  /** What its process has used so far. */
  getResourceUsage(): Promise<WorkerResourceUsage>;
  /** All its counters and histograms. */
  getMetrics(): Promise<WorkerMetrics>;
  /** Changes settings of the running worker. */
  updateSettings(options?: WorkerUpdateableSettings<WorkerAppData>): Promise<void>;
  /** Opens ports that all WebRTC transports of this worker can share. */
  createWebRtcServer<WebRtcServerAppData extends AppData = AppData>(
    options: WebRtcServerOptions<WebRtcServerAppData>,
  ): Promise<WebRtcServer<WebRtcServerAppData>>;
  /** Makes a router: what one room is to an application. */
  createRouter<RouterAppData extends AppData = AppData>(
    options?: RouterOptions<RouterAppData>,
  ): Promise<Router<RouterAppData>>;
}
