// The conversation with the server: JSON over a WebSocket that is opened again and again until it is left.
//
// Dispatches `told` for what nobody asked for, and `state` when the connection changes:
// { state: "connecting" | "open" | "waiting", retryInMs, why }.

export class Disconnected extends Error {}

export class Signalling extends EventTarget {
  #url;
  #socket = null;
  #waiting = new Map();
  #lastId = 0;
  #failures = 0;
  #heardAt = 0;
  #refusal = null;
  #left = false;
  #retry = null;
  #watch = null;
  #onOnline = () => this.retryNow();
  #onVisible = () => { if (document.visibilityState === "visible") this.retryNow(); };

  constructor(url) {
    super();
    this.#url = url;
  }

  open() {
    window.addEventListener("online", this.#onOnline);
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#watch = setInterval(() => this.#listenForSilence(), 1_000);
    this.#connect();
  }

  ask(method, data) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Disconnected("there is no connection to the server"));
        return;
      }
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve, reject });
      this.#socket.send(JSON.stringify({ id: this.#lastId, method, data }));
    });
  }

  // Gives up this connection and makes another.
  reopen(why) {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#lost(why, null);
  }

  retryNow() {
    if (this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#connect();
  }

  leave() {
    this.#left = true;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    window.removeEventListener("online", this.#onOnline);
    document.removeEventListener("visibilitychange", this.#onVisible);
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close(1000);
      this.#socket = null;
    }
    this.#failAll("the room was left");
  }

  #connect() {
    this.#tell("state", { state: "connecting" });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#refusal = null;
    socket.onopen = () => {
      this.#tell("state", { state: "open" });
      // Once a second from now on: also how silence is noticed.
      this.ask("watchFigures").catch(() => {});
    };
    socket.onmessage = ({ data }) => this.#onMessage(data);
    socket.onclose = ({ code, reason }) => {
      this.#socket = null;
      this.#lost(this.#refusal ?? (reason || null), code);
    };
  }

  #onMessage(text) {
    this.#heardAt = performance.now();
    const told = JSON.parse(text);
    if (told.event) {
      if (told.event === "welcome") this.#failures = 0;
      this.#tell("told", told);
    } else if (told.id === undefined) {
      this.#refusal = told.error;
    } else {
      const { resolve, reject } = this.#waiting.get(told.id) ?? {};
      this.#waiting.delete(told.id);
      if (told.error !== undefined) reject?.(new Error(told.error));
      else resolve?.(told.ok);
    }
  }

  #lost(why, code) {
    this.#failAll("the connection to the server was lost");
    if (this.#left) return;
    const slow = SLOW_CODES.includes(code);
    const steps = Math.min(this.#failures, STEPS_MAX);
    this.#failures += 1;
    // Everybody at once would be a crowd at the door.
    const pause = slow ? SLOW_PAUSE_MS : Math.min(FIRST_PAUSE_MS * 2 ** steps, PAUSE_MAX_MS) * (0.75 + Math.random() / 2);
    this.#retry = setTimeout(() => this.retryNow(), pause);
    this.#tell("state", { state: "waiting", retryInMs: pause, why, refused: slow });
  }

  #listenForSilence() {
    if (this.#socket && performance.now() - this.#heardAt > SILENCE_MAX_MS) this.reopen("nothing was heard of the server");
  }

  #failAll(why) {
    for (const { reject } of this.#waiting.values()) reject(new Disconnected(why));
    this.#waiting.clear();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const FIRST_PAUSE_MS = 400;
const PAUSE_MAX_MS = 10_000;
const STEPS_MAX = 8;
// The name is wrong, the room or the server is full: it will not be better in a second.
const SLOW_CODES = [4000, 4001, 1013];
const SLOW_PAUSE_MS = 8_000;
// Figures come every second.
const SILENCE_MAX_MS = 8_000;
