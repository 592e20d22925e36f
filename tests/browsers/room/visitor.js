// A visitor of the echo room's page: does what people do, and sees what they see.
//
// Knows the page's elements. Does not know what must be seen.

export class Visitor {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    this.complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warn") this.complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.complaints.push(`uncaught: ${error.message}`));
  }

  // Before the page is opened: its connections can be asked from then on.
  async keepConnections() {
    await this.page.evaluateOnNewDocument(() => {
      const Native = window.RTCPeerConnection;
      window.connections = [];
      window.RTCPeerConnection = class extends Native {
        constructor(...given) {
          super(...given);
          window.connections.push(this);
        }
      };
    });
  }

  async enter(url, how) {
    await this.page.goto(url);
    await this.join(how);
  }

  async join(how) {
    await this.page.click(how === "camera" ? "#with-camera" : "#with-pattern");
    await this.page.waitForSelector("#room:not([hidden])");
  }

  async press(id) {
    await this.page.click(`#${id}`);
  }

  // What each tile shows at this moment: whose it is, whether it waits, and the colours of a coarse picture.
  async look() {
    return this.page.evaluate(() => [...document.querySelectorAll(".tile")].map((tile) => {
      const video = tile.querySelector("video");
      const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
      const pen = canvas.getContext("2d");
      if (video.videoWidth > 0) pen.drawImage(video, 0, 0, 32, 18);
      return {
        peer: tile.dataset.peer,
        own: tile.dataset.own !== undefined,
        hue: tile.dataset.hue === undefined ? null : Number(tile.dataset.hue),
        waits: tile.classList.contains("waiting"),
        covered: !tile.querySelector(".absent").hidden,
        muted: !tile.querySelectorAll(".badge")[1].hidden,
        level: tile.querySelector("meter").value,
        rows: [...tile.querySelectorAll("tbody tr")].map((row) => row.innerText.split(/\s*\t\s*/)),
        size: [video.videoWidth, video.videoHeight],
        pixels: [...pen.getImageData(0, 0, 32, 18).data],
      };
    }));
  }

  notices() {
    return this.page.$$eval(".notice p", (all) => all.map((one) => one.textContent));
  }

  // Of the worker, as the page was told last.
  async workerPid() {
    return Number(await this.page.$eval("#worker-line", (line) => line.dataset.pid ?? ""));
  }

  // Waits until `count` tiles show pictures that move, which they clearly do within `movingMs`; what was seen.
  async seesMoving(count, patienceMs, movingMs = MOVING_MS) {
    return until(`${this.name} to see ${count} moving pictures`, patienceMs, async () => {
      const before = await this.look();
      await pause(movingMs);
      const now = await this.look();
      const moving = now.filter((tile) => {
        const earlier = before.find(({ peer }) => peer === tile.peer);
        return earlier && !tile.waits && !tile.covered && differs(earlier.pixels, tile.pixels);
      });
      return moving.length === count && now.length === count ? now : null;
    }, async () => JSON.stringify({ notices: await this.notices(), tiles: (await this.look()).map(({ pixels, ...rest }) => rest) }));
  }

  // Waits until a tile that is not the visitor's own is heard.
  async hears(patienceMs) {
    return until(`${this.name} to hear somebody`, patienceMs, async () => (
      (await this.look()).find(({ own, level }) => !own && level > 0.02)?.level
    ));
  }

  // Waits until the sound of somebody else has so much energy in all, as the browser counts it; how much it is.
  async hearsEnergy(least, patienceMs) {
    return until(`${this.name} to hear an energy of ${least}`, patienceMs, async () => {
      const energy = await this.page.evaluate(async () => {
        const [track] = document.querySelector(".tile:not([data-own]) audio")?.srcObject?.getTracks() ?? [];
        const receivers = window.connections.flatMap((one) => one.getReceivers());
        const stats = await receivers.find((one) => one.track === track)?.getStats();
        return [...(stats?.values() ?? [])].find(({ type }) => type === "inbound-rtp")?.totalAudioEnergy ?? 0;
      });
      return energy >= least && energy;
    });
  }

  async seesNotice(pattern, patienceMs) {
    return until(`${this.name} to be told ${pattern}`, patienceMs, async () => (
      (await this.notices()).find((sentence) => pattern.test(sentence))
    ), async () => JSON.stringify(await this.notices()));
  }

  shoot(path) {
    return this.page.screenshot({ path });
  }
}

// A clear difference somewhere, more than a codec makes of a still picture.
export function differs(one, other) {
  return one.some((value, index) => Math.abs(value - other[index]) > 40);
}

// The hue of the picture's top left corner, in degrees.
export function cornerHue({ pixels }) {
  const corner = [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let y = 1; y < 5; y += 1) for (let x = 1; x < 5; x += 1) sum += pixels[(y * 32 + x) * 4 + channel];
    return sum / 16;
  });
  const [r, g, b] = corner;
  const [most, least] = [Math.max(...corner), Math.min(...corner)];
  const span = most - least || 1;
  const sector = most === r ? ((g - b) / span) % 6 : most === g ? (b - r) / span + 2 : (r - g) / span + 4;
  return (sector * 60 + 360) % 360;
}

export async function until(what, patienceMs, holds, explain = async () => "") {
  const started = performance.now();
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (performance.now() - started > patienceMs) throw new Error(`waited ${patienceMs / 1000} s for ${what} ${await explain()}`);
    await pause(POLL_MS);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const MOVING_MS = 250;
const POLL_MS = 60;
