// Somebody who opens the address that the echo room printed, with a browser that was told nothing, and no camera.
//
//   node newcomer.js '{"executable": "/usr/bin/chromium", "address": "http://127.0.0.1:8080/", "screenshot": "room.png"}'
//
// The last line of the output is what was seen, or `{"error": ...}`: then the exit code is not 0. The browser ends with
// this program, which ends with its standard input.

import path from "node:path";
import { mkdir } from "node:fs/promises";
import { inBrowser, report } from "../browser.js";
import { Visitor, until } from "./visitor.js";

const { executable, address, screenshot } = JSON.parse(process.argv[2]);

async function scene(browser) {
  const newcomer = new Visitor("the newcomer", await browser.newPage());
  await newcomer.page.setViewport({ width: 1280, height: 800 });
  await newcomer.enter(address, "pattern");
  await newcomer.press("panel-button");
  const [tile] = await newcomer.seesMoving(1, START_MS);
  if (!tile.own) throw new Error(`the only picture is not the newcomer's own: ${JSON.stringify(tile.peer)}`);
  await until("figures of the echo", PATIENCE_MS, async () => {
    const [{ rows }] = await newcomer.look();
    return rows.every(([, size, fps, rate]) => [size, fps, rate].every((cell) => /^[1-9]/.test(cell))) && rows;
  });
  // A chart needs two figures before it is a line.
  await until("charts of the worker", PATIENCE_MS, async () => (
    (await newcomer.page.$eval(".chart path", (line) => line.getAttribute("d"))).includes("L")
  ));
  const [{ rows, size }] = await newcomer.look();
  await mkdir(path.dirname(screenshot), { recursive: true });
  await newcomer.shoot(screenshot);
  if (newcomer.complaints.length > 0) throw new Error(`the browser complained: ${newcomer.complaints}`);
  return { version: await browser.version(), size, rows, notices: await newcomer.notices(), pid: await newcomer.workerPid() };
}

const START_MS = 15_000;
const PATIENCE_MS = 15_000;

report(() => inBrowser({ executable }, scene));
