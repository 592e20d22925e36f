import type { Channel } from '../channel/channel';
import { cloneOf } from '../clone';
import type { AppData } from '../types';
import type { Event, PlainStats, PlainTuples } from '../wire/generated';
import { plainConnectToWire, srtpFromWire, tupleFromWire } from './options';
import type {
  PlainTransport,
  PlainTransportDump,
  PlainTransportEvents,
  PlainTransportObserver,
  PlainTransportStat,
  SrtpParameters,
} from './plain-types';
import { type RouterOfTransport, TransportImpl } from './transport';
import type { SctpNegotiatedCapabilities, SctpParameters, SctpState, TransportTuple } from './types';

export class PlainTransportImpl<PlainTransportAppData extends AppData = AppData>
  extends TransportImpl<PlainTransportAppData, PlainTransportEvents, PlainTransportObserver>
  implements PlainTransport<PlainTransportAppData>
{
  #tuple!: TransportTuple;
  #rtcpTuple: TransportTuple | undefined;
  #srtpParameters: SrtpParameters | undefined;

  constructor(
    channel: Channel,
    wireId: number,
    router: RouterOfTransport,
    given: { appData?: PlainTransportAppData },
    tuples: PlainTuples,
  ) {
    super(channel, wireId, router, given);
    this.#take(tuples);
  }

  get type(): 'plain' {
    return 'plain';
  }

  get tuple(): TransportTuple {
    return cloneOf(this.#tuple);
  }

  get rtcpTuple(): TransportTuple | undefined {
    return cloneOf(this.#rtcpTuple);
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

  get srtpParameters(): SrtpParameters | undefined {
    return cloneOf(this.#srtpParameters);
  }

  async connect(
    given: { ip?: string; port?: number; rtcpPort?: number; srtpParameters?: SrtpParameters } = {},
  ): Promise<void> {
    const options = plainConnectToWire(given);
    await this.request({ type: 'connectPlainTransport', transport: this.wireId, options }, (reply) => {
      if (reply.type !== 'plainTransport') {
        return undefined;
      }
      this.#take(reply.value);
      return true;
    });
  }

  async dump(): Promise<PlainTransportDump> {
    const dump = await this.dumpOfWorker();
    return { ...this.baseDump(dump), ...this.#addresses(dump.plain), srtpParameters: this.srtpParameters };
  }

  async getStats(): Promise<PlainTransportStat[]> {
    const stats = await this.statsOfWorker();
    return [{ type: 'plain-rtp-transport', ...this.baseStats(stats), ...this.#addresses(stats.plain) }];
  }

  /** What a dump and statistics both say of where it sends and receives. */
  #addresses(plain: PlainStats | undefined) {
    return {
      rtcpMux: plain?.rtcpMux ?? false,
      comedia: plain?.comedia ?? false,
      tuple: plain ? tupleFromWire(plain.tuple) : this.tuple,
      rtcpTuple: plain?.rtcpTuple && tupleFromWire(plain.rtcpTuple),
    };
  }

  #take({ tuple, rtcpTuple, srtpParameters }: PlainTuples): void {
    this.#tuple = tupleFromWire(tuple);
    this.#rtcpTuple = rtcpTuple && tupleFromWire(rtcpTuple);
    this.#srtpParameters = srtpParameters && srtpFromWire(srtpParameters);
  }

  protected override onWorkerEvent(event: Event): void {
    switch (event.type) {
      case 'plainTuple':
        this.#tuple = tupleFromWire(event.tuple);
        this.sayToBoth('tuple', this.tuple);
        break;
      case 'plainRtcpTuple':
        this.#rtcpTuple = tupleFromWire(event.tuple);
        this.sayToBoth('rtcptuple', this.rtcpTuple);
        break;
      default:
        super.onWorkerEvent(event);
    }
  }
}
