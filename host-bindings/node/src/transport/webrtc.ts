import type { Channel } from '../channel/channel';
import { checkObject } from '../check';
import { cloneOf } from '../clone';
import type { AppData } from '../types';
import type { DtlsFingerprint as WireFingerprint, Event, WebRtcCommand, WebRtcDump } from '../wire/generated';
import { bitrateToWire, candidateFromWire, tupleFromWire } from './options';
import { type RouterOfTransport, TransportImpl } from './transport';
import type { SctpNegotiatedCapabilities, SctpParameters, SctpState, TransportTuple } from './types';
import type { WebRtcServerImpl } from './webrtc-server';
import type {
  DtlsFingerprint,
  DtlsParameters,
  DtlsState,
  FingerprintAlgorithm,
  IceCandidate,
  IceParameters,
  IceState,
  WebRtcTransport,
  WebRtcTransportDump,
  WebRtcTransportEvents,
  WebRtcTransportObserver,
  WebRtcTransportStat,
} from './webrtc-types';

export class WebRtcTransportImpl<WebRtcTransportAppData extends AppData = AppData>
  extends TransportImpl<WebRtcTransportAppData, WebRtcTransportEvents, WebRtcTransportObserver>
  implements WebRtcTransport<WebRtcTransportAppData>
{
  readonly #server: WebRtcServerImpl | undefined;
  #iceParameters: IceParameters;
  readonly #iceCandidates: IceCandidate[];
  #iceState: IceState;
  #iceSelectedTuple: TransportTuple | undefined;
  readonly #dtlsParameters: DtlsParameters;
  #dtlsState: DtlsState;
  #dtlsRemoteCert: string | undefined;

  constructor(
    channel: Channel,
    wireId: number,
    router: RouterOfTransport,
    given: { appData?: WebRtcTransportAppData; server: WebRtcServerImpl | undefined },
    dump: WebRtcDump,
  ) {
    super(channel, wireId, router, given);
    this.#server = given.server;
    this.#iceParameters = { ...dump.iceParameters };
    this.#iceCandidates = dump.iceCandidates.map(candidateFromWire);
    this.#iceState = dump.iceState;
    this.#iceSelectedTuple = dump.iceSelectedTuple && tupleFromWire(dump.iceSelectedTuple);
    this.#dtlsParameters = dtlsParametersOf(dump);
    this.#dtlsState = dump.dtlsState;
  }

  get type(): 'webrtc' {
    return 'webrtc';
  }

  /** The worker answers checks and makes none. */
  get iceRole(): 'controlled' {
    return 'controlled';
  }

  get iceParameters(): IceParameters {
    return cloneOf(this.#iceParameters);
  }

  get iceCandidates(): IceCandidate[] {
    return cloneOf(this.#iceCandidates);
  }

  get iceState(): IceState {
    return this.#iceState;
  }

  get iceSelectedTuple(): TransportTuple | undefined {
    return cloneOf(this.#iceSelectedTuple);
  }

  get dtlsParameters(): DtlsParameters {
    return cloneOf(this.#dtlsParameters);
  }

  get dtlsState(): DtlsState {
    return this.#dtlsState;
  }

  get dtlsRemoteCert(): string | undefined {
    return this.#dtlsRemoteCert;
  }

  get sctpParameters(): SctpParameters | undefined {
    return undefined;
  }

  get sctpState(): SctpState | undefined {
    return undefined;
  }

  get sctpNegotiatedCapabilities(): SctpNegotiatedCapabilities | undefined {
    return undefined;
  }

  async connect({ dtlsParameters }: { dtlsParameters: DtlsParameters }): Promise<void> {
    checkObject(dtlsParameters, 'dtlsParameters');
    const fingerprints = fingerprintsToWire(dtlsParameters.fingerprints);
    const role = dtlsParameters.role ?? 'auto';
    if (!['auto', 'client', 'server'].includes(role)) {
      throw new TypeError(`dtlsParameters.role cannot be ${role}; it is one of auto, client, server`);
    }
    const connect: WebRtcCommand = { type: 'connectTransport', transport: this.wireId, role, fingerprints };
    await this.request({ type: 'webRtc', value: connect }, (reply) => {
      if (reply.type !== 'webRtcConnected') {
        return undefined;
      }
      this.#dtlsParameters.role = reply.dtlsLocalRole;
      return true;
    });
  }

  async restartIce(): Promise<IceParameters> {
    const restart: WebRtcCommand = { type: 'restartIce', transport: this.wireId };
    return this.request({ type: 'webRtc', value: restart }, (reply) => {
      if (reply.type !== 'iceParameters') {
        return undefined;
      }
      this.#iceParameters = { ...reply.value };
      return this.iceParameters;
    });
  }

  override async setMaxOutgoingBitrate(bitrate: number): Promise<void> {
    const checked = bitrateToWire(bitrate, 'bitrate');
    await this.done({
      type: 'webRtc',
      value: { type: 'setMaxOutgoingBitrate', transport: this.wireId, bitrate: checked },
    });
  }

  override async setMinOutgoingBitrate(bitrate: number): Promise<void> {
    const checked = bitrateToWire(bitrate, 'bitrate');
    await this.done({
      type: 'webRtc',
      value: { type: 'setMinOutgoingBitrate', transport: this.wireId, bitrate: checked },
    });
  }

  async dump(): Promise<WebRtcTransportDump> {
    const dump = await this.dumpOfWorker();
    const { webrtc } = dump;
    return {
      ...this.baseDump(dump),
      iceRole: 'controlled',
      iceParameters: webrtc ? { ...webrtc.iceParameters } : this.iceParameters,
      iceCandidates: webrtc ? webrtc.iceCandidates.map(candidateFromWire) : this.iceCandidates,
      iceState: webrtc?.iceState ?? this.iceState,
      iceSelectedTuple: webrtc?.iceSelectedTuple && tupleFromWire(webrtc.iceSelectedTuple),
      dtlsParameters: webrtc ? dtlsParametersOf(webrtc) : this.dtlsParameters,
      dtlsState: webrtc?.dtlsState ?? this.dtlsState,
      dtlsRemoteCert: this.dtlsRemoteCert,
    };
  }

  async getStats(): Promise<WebRtcTransportStat[]> {
    const stats = await this.statsOfWorker();
    const { webrtc } = stats;
    return [
      {
        type: 'webrtc-transport',
        ...this.baseStats(stats),
        iceRole: 'controlled',
        iceState: webrtc?.iceState ?? this.iceState,
        iceSelectedTuple: webrtc?.iceSelectedTuple && tupleFromWire(webrtc.iceSelectedTuple),
        dtlsState: webrtc?.dtlsState ?? this.dtlsState,
      },
    ];
  }

  protected override onShut(): void {
    this.#iceState = 'closed';
    this.#iceSelectedTuple = undefined;
    this.#dtlsState = 'closed';
    this.#server?.unhandleWebRtcTransport(this);
  }

  protected override onWorkerEvent(event: Event): void {
    switch (event.type) {
      case 'iceState':
        this.#iceState = event.state;
        this.sayToBoth('icestatechange', this.#iceState);
        break;
      case 'iceSelectedTuple':
        this.#iceSelectedTuple = tupleFromWire(event.tuple);
        this.sayToBoth('iceselectedtuplechange', this.iceSelectedTuple);
        break;
      case 'dtlsState':
        this.#dtlsState = event.state;
        this.#dtlsRemoteCert = event.remoteCertificate ?? this.#dtlsRemoteCert;
        this.sayToBoth('dtlsstatechange', this.#dtlsState);
        break;
      default:
        super.onWorkerEvent(event);
    }
  }
}

const ALGORITHMS: Record<FingerprintAlgorithm, WireFingerprint['algorithm']> = {
  'sha-1': 'sha1',
  'sha-224': 'sha224',
  'sha-256': 'sha256',
  'sha-384': 'sha384',
  'sha-512': 'sha512',
};

function dtlsParametersOf({ dtlsRole, dtlsFingerprints }: WebRtcDump): DtlsParameters {
  const names = Object.keys(ALGORITHMS) as FingerprintAlgorithm[];
  const fingerprints = dtlsFingerprints.map(({ algorithm, value }) => ({
    algorithm: names.find((name) => ALGORITHMS[name] === algorithm) ?? 'sha-256',
    value,
  }));
  return { role: dtlsRole, fingerprints };
}

function fingerprintsToWire(given: DtlsFingerprint[]): WireFingerprint[] {
  if (!Array.isArray(given) || given.length === 0) {
    throw new TypeError('dtlsParameters.fingerprints must be an array with at least one fingerprint');
  }
  return given.map(({ algorithm, value }, index) => {
    const name = String(algorithm).toLowerCase() as FingerprintAlgorithm;
    if (!Object.hasOwn(ALGORITHMS, name)) {
      const known = Object.keys(ALGORITHMS).join(', ');
      throw new TypeError(
        `dtlsParameters.fingerprints[${index}].algorithm cannot be ${String(algorithm)}; it is one of ${known}`,
      );
    }
    return { algorithm: ALGORITHMS[name], value };
  });
}
