import { Device } from "/mediasoup-client.js";

const state = document.getElementById("state");
const videos = document.getElementById("videos");

// JSON over a WebSocket: requests that are answered, and what nobody asked for.
class Signalling {
  #waiting = new Map();
  #lastId = 0;

  constructor(onEvent, onClose) {
    this.socket = new WebSocket(`${location.origin.replace("http", "ws")}/signalling`);
    this.opened = new Promise((resolve) => { this.socket.onopen = resolve; });
    this.socket.onclose = onClose;
    this.socket.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.event) return onEvent(told);
      const { resolve, reject } = this.#waiting.get(told.id);
      this.#waiting.delete(told.id);
      if (told.error) reject(new Error(told.error));
      else resolve(told.ok);
    };
  }

  ask(method, data) {
    this.#lastId += 1;
    this.socket.send(JSON.stringify({ id: this.#lastId, method, data }));
    return new Promise((resolve, reject) => this.#waiting.set(this.#lastId, { resolve, reject }));
  }
}

async function visit(stream) {
  const shown = new Map();
  // A track that begins while we come in may be announced twice.
  const known = new Set();
  let sending, receiving;
  // Tracks are announced as soon as the connection is open; they wait until there is a transport for them.
  let ready;
  let turn = new Promise((resolve) => { ready = resolve; });

  const signalling = new Signalling(
    ({ event, data }) => {
      if (event === "newTrack" && !known.has(data.producerId)) {
        known.add(data.producerId);
        turn = turn.then(() => show(data.producerId)).catch((error) => console.warn(error.message));
      } else if (event === "consumerClosed") {
        shown.get(data.consumerId)?.remove();
        shown.delete(data.consumerId);
      }
    },
    () => {
      state.textContent = "The connection is lost. Trying again…";
      sending?.close();
      receiving?.close();
      for (const element of shown.values()) element.remove();
      setTimeout(() => visit(stream), 1000);
    },
  );

  async function createTransport(make) {
    const transport = make(await signalling.ask("createTransport"));
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      signalling.ask("connectTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    return transport;
  }

  async function show(producerId) {
    const rtpCapabilities = device.recvRtpCapabilities;
    const told = await signalling.ask("consume", { transportId: receiving.id, producerId, rtpCapabilities });
    const consumer = await receiving.consume(told);
    const element = document.createElement(consumer.kind);
    Object.assign(element, { autoplay: true, playsInline: true, srcObject: new MediaStream([consumer.track]) });
    videos.append(element);
    shown.set(consumer.id, element);
    await signalling.ask("resumeConsumer", { consumerId: consumer.id });
  }

  await signalling.opened;
  const device = await Device.factory();
  await device.load({ routerRtpCapabilities: await signalling.ask("routerRtpCapabilities") });
  sending = await createTransport((told) => device.createSendTransport(told));
  receiving = await createTransport((told) => device.createRecvTransport(told));
  sending.on("produce", ({ kind, rtpParameters }, done, failed) => {
    signalling.ask("produce", { transportId: sending.id, kind, rtpParameters }).then(done, failed);
  });
  ready();
  for (const track of stream.getTracks()) await sending.produce({ track, stopTracks: false });
  state.textContent = "You are in the room.";
}

document.getElementById("join").addEventListener("click", async ({ currentTarget }) => {
  currentTarget.disabled = true;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    document.getElementById("own").srcObject = stream;
    visit(stream);
  } catch (error) {
    state.textContent = `Camera and microphone cannot be used: ${error.message}`;
    currentTarget.disabled = false;
  }
});
