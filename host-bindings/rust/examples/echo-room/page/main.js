// The page as a whole: the lobby, then the room until it is left.

import { Panel } from "./figures.js";
import { Media } from "./media.js";
import { NAME_CHARACTERS_MAX, complaint, friendlyName, pathOf, roomOf } from "./names.js";
import { clear, clearAll, notice, record } from "./notices.js";
import { Disconnected, Signalling } from "./signalling.js";
import { Tiles } from "./tiles.js";
import { Visit } from "./visit.js";
import * as words from "./words.js";

const at = (id) => document.getElementById(id);
const tiles = new Tiles(at("tiles"));
const panel = new Panel(at("worker-line"), at("charts"));

let room = null;

class Room {
  muted = new Set();
  visit = null;
  #name;
  #media;
  #signalling;
  #diedAt = null;
  #countdown = null;
  #stats = null;

  constructor(name, media) {
    this.#name = name;
    this.#media = media;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#signalling = new Signalling(`${scheme}//${location.host}/signalling?room=${encodeURIComponent(name)}`);
    this.#signalling.addEventListener("state", ({ detail }) => this.#onState(detail));
    this.#signalling.addEventListener("told", ({ detail }) => this.#onTold(detail));
    media.addEventListener("replaced", ({ detail }) => this.#onReplaced(detail));
  }

  enter() {
    record(`You enter ${this.#name}.`);
    for (const [index, sentence] of this.#media.notes.entries()) notice(`media-${index}`, sentence, { tone: "warn", button: dismiss(`media-${index}`) });
    this.#signalling.open();
    this.#stats = setInterval(() => tiles.readStats(this.visit?.producers), 1_000);
  }

  leave() {
    clearInterval(this.#stats);
    clearInterval(this.#countdown);
    this.visit?.close();
    this.#signalling.leave();
    this.#media.close();
    tiles.clear();
    clearAll();
    record("You left.");
  }

  async toggle(kind) {
    const muted = !this.muted.has(kind);
    if (muted) this.muted.add(kind);
    else this.muted.delete(kind);
    await this.visit?.setMuted(kind, muted).catch(() => {}); // Another visit begins with what is muted.
    return muted;
  }

  #onState(detail) {
    clearInterval(this.#countdown);
    if (detail.state === "waiting") {
      this.#endVisit();
      clear("death");
      at("tiles").dataset.empty = detail.refused ? "Waiting to be let in…" : "Connecting…";
      record(detail.refused ? `Not let in: ${detail.why}.` : `Connection lost${detail.why ? `: ${detail.why}` : ""}.`);
      const until = performance.now() + detail.retryInMs;
      const button = { label: "Try now", act: () => this.#signalling.retryNow() };
      const say = () => {
        const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1_000));
        notice("connection", words.ofLoss(detail, seconds), { tone: detail.refused ? "bad" : "warn", button });
      };
      say();
      this.#countdown = setInterval(say, 1_000);
    }
  }

  #onTold(told) {
    const { event, data } = told;
    if (event === "welcome") this.#begin(data.peerId);
    else if (event === "workerDied") this.#onDeath(data);
    else if (event === "figures") panel.show(data);
    else if (event === "peerLeft") tiles.remove(data.peerId);
    else if (event === "dominantSpeaker") tiles.speaking(data.peerId);
    else this.visit?.onEvent(told);
  }

  async #begin(peerId) {
    this.#endVisit();
    clear("connection");
    tiles.begin(peerId);
    const visit = new Visit(this.#signalling, this.#media);
    this.visit = visit;
    visit.addEventListener("consumer", ({ detail }) => {
      const tile = tiles.add(detail.peerId, detail.consumer, detail.paused);
      if (detail.peerId !== peerId) return;
      if (this.#media.hue !== null) tile.element.dataset.hue = this.#media.hue;
      // A track that ends shows a last black picture, which is no echo.
      const onPicture = () => { if (!visit.closed) this.#onEcho(); };
      if (detail.consumer.kind === "video") tile.element.addEventListener("picture", onPicture, { once: true });
    });
    visit.addEventListener("closed", ({ detail }) => tiles.closed(detail.consumerId));
    visit.addEventListener("paused", ({ detail }) => tiles.paused(detail.consumerId, detail.paused));
    visit.addEventListener("through", () => clear("stuck"));
    visit.addEventListener("stuck", ({ detail }) => this.#onStuck(detail));
    try {
      await visit.begin(this.muted);
    } catch (error) {
      if (visit !== this.visit || visit.closed || error instanceof Disconnected) return;
      this.#onFailed(visit, error);
    }
  }

  // The first picture came back.
  #onEcho() {
    clear("failed");
    if (this.visit) setTimeout(() => tiles.forget(), OTHERS_MAX_MS);
    if (this.#diedAt === null) {
      record("Your echo has begun.");
      return;
    }
    const seconds = ((performance.now() - this.#diedAt) / 1_000).toFixed(1);
    this.#diedAt = null;
    const sentence = `Another worker has taken over. You were without an echo for ${seconds} s.`;
    record(sentence);
    notice("death", sentence, { tone: "good", forMs: 12_000 });
  }

  #onDeath(death) {
    this.#diedAt ??= performance.now();
    this.#endVisit();
    panel.mark();
    const sentence = words.ofDeath(death);
    record(sentence);
    notice("death", sentence, { tone: "bad" });
  }

  #onStuck({ candidates, hopeless }) {
    notice("stuck", words.ofStuck(candidates), { tone: "bad" });
    if (hopeless) this.#signalling.reopen("media does not get through");
  }

  #onFailed(visit, error) {
    const unsupported = error.name === "UnsupportedError" || typeof RTCPeerConnection === "undefined";
    const sentence = unsupported ? words.UNSUPPORTED : `The room cannot be joined: ${error.message}.`;
    // When a worker dies its requests fail first; what follows explains more.
    setTimeout(() => {
      if (visit !== this.visit || visit.closed) return;
      record(sentence);
      const button = { label: "Try again", act: () => { clear("failed"); this.#signalling.reopen("trying again"); } };
      notice("failed", sentence, { tone: "bad", button });
    }, EXPLANATION_MS);
  }

  #onReplaced({ kind, track, sentence }) {
    record(sentence);
    notice(`replaced-${kind}`, sentence, { tone: "warn", button: dismiss(`replaced-${kind}`) });
    this.visit?.replaceTrack(kind, track).catch(() => {}); // The next visit sends it from its beginning.
  }

  #endVisit() {
    // Before their tracks end: the last pictures stay.
    tiles.wait();
    this.visit?.close();
    this.visit = null;
  }
}

const EXPLANATION_MS = 1_500;
// After one's own echo is back, others have so long to come back too.
const OTHERS_MAX_MS = 1_500;

const dismiss = (kind) => ({ label: "All right", act: () => clear(kind) });

function showRoom(inside) {
  at("lobby").hidden = inside;
  for (const id of ["room", "controls", "share"]) at(id).hidden = !inside;
  at("attendance").hidden = true;
}

async function enter(name, choice) {
  const buttons = [at("with-camera"), at("with-pattern")];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    clearAll();
    const media = await Media.open(choice);
    history.replaceState(null, "", pathOf(name));
    at("room-title").textContent = at("room-title").title = name;
    document.title = `${name} – Echo room`;
    showRoom(true);
    setButtons();
    at("mic-button").focus({ preventScroll: true });
    room = new Room(name, media);
    room.enter();
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

function leave() {
  room?.leave();
  room = null;
  showRoom(false);
  at("room-name").focus({ preventScroll: true });
  at("room-title").textContent = "";
  document.title = "Echo room";
  notice("left", "You left the room; camera and microphone are off.", { forMs: 8_000 });
}

const BUTTONS = {
  audio: { id: "mic-button", icons: ["mic", "mic-off"], labels: ["Mute", "Unmute"] },
  video: { id: "camera-button", icons: ["camera", "camera-off"], labels: ["Stop picture", "Send picture"] },
};

function setButtons() {
  for (const [kind, { id, icons, labels }] of Object.entries(BUTTONS)) {
    const muted = Number(room?.muted.has(kind) ?? false);
    at(id).setAttribute("aria-pressed", String(Boolean(muted)));
    at(id).querySelector("use").setAttribute("href", `#${icons[muted]}`);
    at(id).querySelector("span").textContent = labels[muted];
  }
}

function prepare() {
  const field = at("room-name");
  field.maxLength = NAME_CHARACTERS_MAX;
  field.value = roomOf(location.pathname) ?? friendlyName();
  field.addEventListener("input", () => field.setCustomValidity(""));
  at("dice").addEventListener("click", () => { field.value = friendlyName(); });
  at("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = complaint(field.value);
    field.setCustomValidity(wrong ?? "");
    if (!field.reportValidity()) return;
    enter(field.value.trim(), event.submitter?.value ?? "camera");
  });
  if (!window.isSecureContext) {
    at("origin").hidden = false;
    at("origin").textContent = words.INSECURE;
    at("with-pattern").classList.add("strong");
    at("with-camera").hidden = true;
  }
  for (const [kind, { id }] of Object.entries(BUTTONS)) {
    at(id).addEventListener("click", () => {
      room?.toggle(kind);
      setButtons();
    });
  }
  at("leave-button").addEventListener("click", leave);
  at("panel-button").addEventListener("click", ({ currentTarget }) => {
    at("panel").hidden = !at("panel").hidden;
    currentTarget.setAttribute("aria-expanded", String(!at("panel").hidden));
    if (!at("panel").hidden) at("panel").scrollIntoView({ block: "nearest" });
  });
  at("share").addEventListener("click", share);
  tiles.addEventListener("blocked", () => {
    const act = () => { clear("blocked"); tiles.playAll(); };
    notice("blocked", "The browser keeps the sound off until you ask for it.", { tone: "warn", button: { label: "Turn the sound on", act } });
  });
  tiles.addEventListener("count", () => {
    const others = tiles.count - 1;
    at("attendance").hidden = tiles.count === 0;
    at("attendance").textContent = others <= 0 ? "only you" : `you and ${others} more`;
    at("attendance").dataset.short = others <= 0 ? "only you" : `${others + 1} here`;
  });
}

async function share() {
  const url = location.href;
  try {
    await navigator.clipboard.writeText(url);
    notice("share", `Copied: ${url}`, { tone: "good", forMs: 4_000 });
  } catch {
    notice("share", `The link to this room: ${url}`, { button: dismiss("share") });
  }
}

prepare();
