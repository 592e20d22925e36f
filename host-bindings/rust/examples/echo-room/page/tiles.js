// One tile for each visitor: their picture and sound, and what is known of both.

import { StreamMeter, bitrateText, numberText, timeText } from "./stats.js";

export class Tiles extends EventTarget {
  #place;
  #tiles = new Map();
  // Of the visit before, with its last pictures; each gives its place to a new one.
  #former = [];
  #ownId = null;

  constructor(place) {
    super();
    this.#place = place;
  }

  get count() {
    return this.#tiles.size;
  }

  // Another visit begins, in which the visitor is called so.
  begin(ownId) {
    for (const tile of this.#tiles.values()) {
      tile.retire();
      this.#former.push(tile);
    }
    this.#tiles.clear();
    this.#ownId = ownId;
    setTimeout(() => this.forget(), FORMER_MAX_MS);
  }

  // Whoever was in the visit before and is not in this one has left.
  forget() {
    for (const tile of this.#former.splice(0)) tile.close();
  }

  clear() {
    this.begin(null);
    this.forget();
  }

  add(peerId, consumer, paused) {
    const tile = this.#tiles.get(peerId) ?? this.#make(peerId);
    tile.add(consumer, paused);
    return tile;
  }

  remove(peerId) {
    this.#tiles.get(peerId)?.close();
    this.#tiles.delete(peerId);
    this.dispatchEvent(new Event("count"));
  }

  closed(consumerId) {
    for (const tile of this.#tiles.values()) tile.removeConsumer(consumerId);
  }

  paused(consumerId, paused) {
    for (const tile of this.#tiles.values()) tile.setPaused(consumerId, paused);
  }

  speaking(peerId) {
    for (const [other, tile] of this.#tiles) tile.setSpeaking(other === peerId);
  }

  // Nothing comes for now: the last pictures stay, dimmed.
  wait() {
    for (const tile of this.#tiles.values()) tile.wait();
  }

  // `producers` are the visitor's own.
  async readStats(producers) {
    await Promise.all([...this.#tiles].map(([peerId, tile]) => (
      tile.readStats(peerId === this.#ownId ? producers : null).catch(() => {}) // Closed while it was asked.
    )));
  }

  async playAll() {
    await Promise.all([...this.#tiles.values()].map((tile) => tile.play()));
  }

  #make(peerId) {
    const own = peerId === this.#ownId;
    const tile = new Tile(peerId, own, () => this.dispatchEvent(new Event("blocked")));
    this.#tiles.set(peerId, tile);
    const before = this.#former.findIndex((former) => former.own === own);
    if (before >= 0) this.#former.splice(before, 1)[0].giveWayTo(tile);
    else if (own) this.#place.prepend(tile.element);
    else this.#place.append(tile.element);
    this.dispatchEvent(new Event("count"));
    return tile;
  }
}

class Tile {
  element = make("article", "tile");
  own;
  #video = make("video");
  // The last picture, while nothing comes.
  #still = make("canvas", "still");
  #audio = make("audio");
  #absent = make("p", "absent");
  #badges = { speaker: make("span", "badge speaker"), mic: make("span", "badge") };
  #sound = make("button", "plain");
  #level = make("meter");
  #rows;
  #consumers = new Map();
  #meters = new Map();
  #onBlocked;

  constructor(peerId, own, onBlocked) {
    this.own = own;
    this.#onBlocked = onBlocked;
    this.element.dataset.peer = peerId;
    if (own) this.element.dataset.own = "";
    const name = own ? "You, echoed" : `${peerId.startsWith("whip-") ? "Publisher" : "Visitor"} ${peerId.replace(/^\w+-/, "")}`;
    this.element.setAttribute("aria-label", name);
    Object.assign(this.#video, { autoplay: true, muted: true, playsInline: true });
    this.#video.setAttribute("aria-label", own ? "Your own picture, as it comes back" : `Picture of ${name}`);
    // A howl otherwise: the microphone would hear its own echo.
    Object.assign(this.#audio, { autoplay: true, muted: own });
    this.#still.setAttribute("aria-hidden", "true");
    this.#still.hidden = true;
    this.#absent.textContent = "No picture yet";
    this.#badges.speaker.textContent = "Speaking";
    this.#badges.mic.textContent = "Muted";
    this.#badges.speaker.hidden = this.#badges.mic.hidden = true;
    const badges = make("div", "badges", this.#badges.speaker, this.#badges.mic);
    const screen = make("div", "screen", this.#video, this.#absent, this.#still, badges, this.#audio);
    const title = make("h3");
    title.textContent = name;
    Object.assign(this.#level, { min: 0, max: 1, low: 0.02, value: 0 });
    this.#level.setAttribute("aria-label", `Loudness of ${name}`);
    this.#sound.type = "button";
    this.#sound.addEventListener("click", () => this.#setSound(this.#audio.muted));
    const caption = make("div", "caption", title, this.#level, this.#sound);
    const table = new Table(own ? ["sent", "echo"] : ["video", "audio"]);
    this.#rows = table.rows;
    this.element.append(screen, caption, table.element);
    this.#setSound(!own);
  }

  add(consumer, paused) {
    this.#consumers.set(consumer.id, consumer);
    this.#meters.set(consumer.kind, new StreamMeter(consumer));
    const element = consumer.kind === "video" ? this.#video : this.#audio;
    element.srcObject = new MediaStream([consumer.track]);
    if (consumer.kind === "video") {
      this.#video.requestVideoFrameCallback?.(() => {
        this.#still.hidden = true;
        this.element.dispatchEvent(new Event("picture"));
      });
    }
    this.setPaused(consumer.id, paused);
    this.play();
  }

  removeConsumer(consumerId) {
    const consumer = this.#consumers.get(consumerId);
    if (!consumer) return;
    consumer.close();
    this.#consumers.delete(consumerId);
    this.#meters.delete(consumer.kind);
    if (consumer.kind === "video") this.#show("No picture");
  }

  setPaused(consumerId, paused) {
    const consumer = this.#consumers.get(consumerId);
    if (consumer?.kind === "video") this.#show(paused ? "The picture is off" : null);
    else if (consumer) this.#badges.mic.hidden = !paused;
  }

  setSpeaking(speaking) {
    this.element.classList.toggle("speaking", speaking);
    this.#badges.speaker.hidden = !speaking;
  }

  async play() {
    try {
      await Promise.all([this.#video, this.#audio].filter(({ srcObject }) => srcObject).map((one) => one.play()));
    } catch (error) {
      // Any other means that something new is played, or nothing.
      if (error.name === "NotAllowedError") this.#onBlocked();
    }
  }

  async readStats(producers) {
    const read = async (kind) => (await this.#meters.get(kind)?.read()) ?? null;
    const [video, audio] = [await read("video"), await read("audio")];
    if (this.own) {
      const sent = await this.#readSent("video", producers);
      const spoken = await this.#readSent("audio", producers);
      this.#rows.get("sent")(sent);
      this.#rows.get("echo")(video);
      this.#showLevel(spoken);
    } else {
      this.#rows.get("video")(video);
      this.#rows.get("audio")(audio);
      this.#showLevel(audio);
    }
  }

  wait() {
    if (this.element.classList.contains("waiting")) return;
    this.element.classList.add("waiting");
    this.setSpeaking(false);
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width || !this.#absent.hidden) return;
    Object.assign(this.#still, { width, height });
    this.#still.getContext("2d").drawImage(this.#video, 0, 0);
    this.#still.hidden = false;
  }

  retire() {
    this.wait();
    this.element.dataset.former = "";
  }

  giveWayTo(tile) {
    if (!this.#still.hidden) {
      tile.#still.replaceWith(this.#still);
      tile.#still = this.#still;
    }
    if (this.own) tile.#setSound(!this.#audio.muted);
    this.element.replaceWith(tile.element);
    this.close();
  }

  close() {
    for (const consumer of this.#consumers.values()) consumer.close();
    this.#video.srcObject = this.#audio.srcObject = null;
    this.element.remove();
  }

  async #readSent(kind, producers) {
    const producer = producers?.[kind];
    if (!producer || producer.closed) return null;
    const key = `sent ${producer.id}`;
    if (!this.#meters.has(key)) this.#meters.set(key, new StreamMeter(producer));
    return this.#meters.get(key).read();
  }

  // Some browsers do not measure what they send.
  #showLevel(read) {
    this.#level.hidden = read !== null && read.level === null;
    this.#level.value = loudness(read?.level);
  }

  #setSound(on) {
    this.#audio.muted = !on;
    const whose = this.own ? "your own echo" : "this visitor";
    this.#sound.innerHTML = `<svg aria-hidden="true"><use href="#${on ? "sound" : "sound-off"}"/></svg>`;
    const label = make("span");
    label.textContent = this.own ? (on ? "Mute echo" : "Hear echo") : (on ? "Silence" : "Hear");
    this.#sound.append(label);
    this.#sound.title = this.own && !on ? "Best with headphones: the echo of a loudspeaker howls" : `${on ? "Silence" : "Hear"} ${whose}`;
    if (on) this.play();
  }

  #show(sentence) {
    this.#absent.hidden = sentence === null;
    if (sentence !== null) this.#absent.textContent = sentence;
  }
}

// Size, pictures a second, bit rate, loss and round trip of streams, a row each.
class Table {
  element = make("table", "stats");
  // By name: takes what a StreamMeter read.
  rows = new Map();

  constructor(names) {
    const head = this.element.createTHead().insertRow();
    for (const title of ["", "size", "fps", "rate", "loss", "RTT"]) {
      const cell = make("th");
      cell.scope = "col";
      cell.textContent = title;
      head.append(cell);
    }
    const body = this.element.createTBody();
    for (const name of names) {
      const row = body.insertRow();
      const title = make("th");
      title.scope = "row";
      title.textContent = name;
      row.append(title);
      const cells = Array.from({ length: 5 }, () => row.insertCell());
      row.dataset.stream = name;
      this.rows.set(name, (read) => show(cells, read));
      show(cells, null);
    }
  }
}

function show(cells, read) {
  const texts = read === null ? ["–", "–", "–", "–", "–"] : [
    read.width ? `${read.width}×${read.height}` : "–",
    numberText(read.fps, 0, ""),
    bitrateText(read.bitrate),
    numberText(read.lossPercent, read.lossPercent >= 10 ? 0 : 1, " %"),
    timeText(read.rttMs),
  ];
  texts.forEach((text, index) => { cells[index].textContent = text; });
}

// By then whoever still was there has come back.
const FORMER_MAX_MS = 5_000;

// The eye, like the ear, takes loudness by its root.
const loudness = (level) => Math.sqrt(Math.min(1, Math.max(0, level ?? 0)));

function make(name, className = "", ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
