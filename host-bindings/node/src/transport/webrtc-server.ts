import type { Channel } from '../channel/channel';
import { Entity } from '../entity';
import type { AppData } from '../types';
import { socketFromWire } from './address';
import type {
  WebRtcServer,
  WebRtcServerDump,
  WebRtcServerEvents,
  WebRtcServerObserver,
} from './webrtc-server-types';
import type { WebRtcTransport } from './webrtc-types';

export class WebRtcServerImpl<WebRtcServerAppData extends AppData = AppData>
  extends Entity<WebRtcServerEvents, WebRtcServerObserver, WebRtcServerAppData>
  implements WebRtcServer<WebRtcServerAppData>
{
  readonly #webRtcTransports = new Map<string, WebRtcTransport>();
  readonly #onClose: (server: WebRtcServerImpl) => void;

  constructor(
    channel: Channel,
    wireId: number,
    given: { appData?: WebRtcServerAppData },
    onClose: (server: WebRtcServerImpl) => void,
  ) {
    super('WebRTC server', channel, wireId, given);
    this.#onClose = onClose;
  }

  /** Just for testing purposes. */
  get webRtcTransportsForTesting(): Map<string, WebRtcTransport> {
    return this.#webRtcTransports;
  }

  /** Whether its worker is the one at the other end of `channel`. */
  isOn(channel: Channel): boolean {
    return this.channel === channel;
  }

  close(): void {
    if (!this.shut()) {
      return;
    }
    this.channel.tell({ type: 'webRtc', value: { type: 'closeServer', server: this.wireId } });
    for (const transport of [...this.#webRtcTransports.values()]) {
      transport.listenServerClosed();
    }
    this.#onClose(this);
    this.say('@close');
    this.sayToObserver('close');
  }

  workerClosed(): void {
    if (this.shut()) {
      // Its transports close with their routers.
      this.#webRtcTransports.clear();
      this.say('workerclose');
      this.sayToObserver('close');
    }
  }

  async dump(): Promise<WebRtcServerDump> {
    const name = (id: number) => this.channel.nameOf(id) ?? `closed:${id}`;
    const dump = await this.request(
      { type: 'webRtc', value: { type: 'dumpServer', server: this.wireId } },
      (reply) => (reply.type === 'webRtcServerDump' ? reply.value : undefined),
    );
    return {
      id: this.id,
      udpSockets: dump.udpSockets.map(socketFromWire),
      tcpServers: dump.tcpServers.map(socketFromWire),
      webRtcTransportIds: dump.transportIds.map(name),
      localIceUsernameFragments: dump.localIceUsernameFragments.map(({ usernameFragment, transport }) => ({
        localIceUsernameFragment: usernameFragment,
        webRtcTransportId: name(transport),
      })),
    };
  }

  handleWebRtcTransport(webRtcTransport: WebRtcTransport): void {
    this.#webRtcTransports.set(webRtcTransport.id, webRtcTransport);
    this.sayToObserver('webrtctransporthandled', webRtcTransport);
  }

  /** The transport is closed. */
  unhandleWebRtcTransport(webRtcTransport: WebRtcTransport): void {
    if (this.#webRtcTransports.delete(webRtcTransport.id)) {
      this.sayToObserver('webrtctransportunhandled', webRtcTransport);
    }
  }

  protected onWorkerEvent(): void {
    // The worker tells nothing about servers.
  }
}
