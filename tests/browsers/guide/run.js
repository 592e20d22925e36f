// Two people in the room that the guide in host-bindings/rust/README.md builds, while its worker is killed and one of
// them goes.
//
//   node run.js '{"executable": "/usr/bin/chromium", "address": "http://127.0.0.1:3000/", "worker": 4711, "screenshot": "room.png"}'
//
// The last line of the output is what they saw, or `{"error": ...}` when it was not what they must see. The browser ends
// with this program, which ends with its standard input.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { FAKE_DEVICES, LOOPBACK, inBrowser, report } from "../browser.js";
import { Visitor, differs, pause, until } from "../room/visitor.js";

const { executable, address, worker, screenshot } = JSON.parse(process.argv[2]);

class Guest extends Visitor {
  async enter() {
    await this.keepConnections();
    await this.page.goto(address);
    await this.page.click("#join");
  }

  // Each video, their own first: a coarse picture.
  async look() {
    return this.page.$$eval("#videos video", (all) => all.map((video) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
      const pen = canvas.getContext("2d");
      if (video.videoWidth > 0) pen.drawImage(video, 0, 0, 32, 18);
      return [...pen.getImageData(0, 0, 32, 18).data];
    }));
  }

  async seesMoving(count) {
    await until(`${this.name} to see ${count} pictures move`, PATIENCE_MS, async () => {
      const before = await this.look();
      await pause(MOVING_MS);
      const now = await this.look();
      const moving = now.filter((picture, index) => before[index] && differs(before[index], picture));
      return now.length === count && moving.length === count;
    }, async () => JSON.stringify({ pictures: (await this.look()).length, state: await this.state() }));
  }

  // How much of the other's sound the browser has played since it met them.
  async hears() {
    return until(`${this.name} to hear the other`, PATIENCE_MS, () => this.page.evaluate(async () => {
      const all = await Promise.all(window.connections.map((one) => one.getStats()));
      const heard = all.flatMap((stats) => [...stats.values()]).filter(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
      return heard.length === 1 && heard[0].totalAudioEnergy > 0.001 && heard[0].totalAudioEnergy;
    }));
  }

  state() {
    return this.page.$eval("#state", (line) => line.textContent);
  }
}

async function scene(browser) {
  const [ida, joe] = await Promise.all(["Ida", "Joe"].map(async (name) => (
    new Guest(name, await (await browser.createBrowserContext()).newPage())
  )));
  const both = (act) => Promise.all([act(ida), act(joe)]);
  await both((guest) => guest.page.setViewport({ width: 760, height: 460 }));
  await both((guest) => guest.enter());
  await both((guest) => guest.seesMoving(2));
  const heard = await both((guest) => guest.hears());
  await mkdir(path.dirname(screenshot), { recursive: true });
  await ida.shoot(screenshot);
  const metrics = await (await fetch(new URL("/metrics", address))).text();
  if (!/^receive_calls [1-9]/m.test(metrics)) throw new Error(`the worker counts nothing: ${metrics.slice(0, 400)}`);

  const killedAt = performance.now();
  process.kill(worker, "SIGKILL");
  const told = await until("Ida to be told", PATIENCE_MS, async () => {
    const line = await ida.state();
    return /lost/.test(line) && line;
  });
  await until("both to be back", PATIENCE_MS, async () => (await both((guest) => guest.state())).every((line) => /You are in/.test(line)));
  await both((guest) => guest.seesMoving(2));
  const backAfterMs = Math.round(performance.now() - killedAt);

  await joe.page.close();
  await ida.seesMoving(1);
  const complaints = [...ida.complaints, ...joe.complaints].filter((line) => !/WebSocket connection/.test(line));
  if (complaints.length > 0) throw new Error(`the browser complained: ${complaints}`);
  return { version: await browser.version(), heard, told, backAfterMs };
}

const MOVING_MS = 250;
const PATIENCE_MS = 15_000;

report(() => inBrowser({ executable, args: [...LOOPBACK, ...FAKE_DEVICES] }, scene));
