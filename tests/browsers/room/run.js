// Two visitors on the echo room's own page, through everything that can happen to them in a minute.
//
//   node run.js '{"executable": "/usr/bin/chromium", "port": 8080, "screenshots": "target/room"}'
//
// The last line of the output is what was seen, or `{"error": ...}`; it is judged elsewhere. The browser ends with this
// program, which ends with its standard input.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { FAKE_DEVICES, INSECURE_HOST, LOOPBACK, inBrowser, report } from "../browser.js";
import { openDoor } from "./door.js";
import { Visitor, cornerHue, until } from "./visitor.js";

const { executable, port, screenshots } = JSON.parse(process.argv[2]);

async function scene(browser, door) {
  const address = `http://127.0.0.1:${door.port}/${encodeURIComponent(ROOM)}`;
  // A window of its own for each: a page in the background is slow.
  const open = async (name) => new Visitor(name, await (await browser.createBrowserContext()).newPage());
  const [ann, ben] = [await open("Ann"), await open("Ben")];
  const both = (act) => Promise.all([act(ann), act(ben)]);
  const shoot = (visitor, name) => visitor.shoot(path.join(screenshots, `${name}.png`));
  const seen = {};

  await ann.page.setViewport({ width: 1280, height: 800 });
  await ann.page.goto(`http://127.0.0.1:${door.port}/`);
  seen.proposedName = await ann.page.$eval("#room-name", (field) => field.value);
  await shoot(ann, "1-lobby");
  await ann.enter(address, "camera");
  await ann.press("panel-button");
  await ben.enter(address, "pattern");
  const [byAnn, byBen] = await both((visitor) => visitor.seesMoving(2, START_MS));
  seen.title = await ann.page.$eval("#room-title", (title) => title.textContent);
  seen.injected = await ann.page.evaluate(() => document.querySelectorAll("b").length);
  seen.hues = {
    patternOfBen: byBen.find(({ own }) => own).hue,
    benSeenByAnn: cornerHue(byAnn.find(({ own }) => !own)),
    annSeenByAnn: cornerHue(byAnn.find(({ own }) => own)),
    annSeenByBen: cornerHue(byBen.find(({ own }) => !own)),
  };
  seen.heard = await both((visitor) => visitor.hears(PATIENCE_MS));

  await ben.press("mic-button");
  await ben.press("camera-button");
  await until("Ann to see that Ben is muted", PATIENCE_MS, async () => (
    (await ann.look()).some(({ own, muted, covered }) => !own && muted && covered)
  ));
  await ben.press("mic-button");
  await ben.press("camera-button");
  await ann.seesMoving(2, PATIENCE_MS);
  await until("figures of Ann's echo", PATIENCE_MS, async () => (
    (await ann.look()).every(({ own, rows }) => !own || rows.flat().every((cell) => cell !== "–"))
  ));
  await until("figures of the worker", PATIENCE_MS, async () => (
    (await ann.page.$$eval(".chart output", (all) => all.map((one) => one.textContent))).every((text) => !text.includes("–"))
  ));
  seen.rows = (await ann.look()).map(({ rows }) => rows);
  seen.figures = await ann.page.$$eval(".chart", (all) => all.map((chart) => ({
    title: chart.querySelector("h3").textContent, value: chart.querySelector("output").textContent,
    points: chart.querySelector("path").getAttribute("d").split(/[ML]/).length - 1,
  })));
  await shoot(ann, "2-room");

  const pid = await ann.workerPid();
  const killedAt = performance.now();
  process.kill(pid, "SIGKILL");
  const [toldAnn] = await both((visitor) => visitor.seesNotice(/worker is gone/, PATIENCE_MS));
  await shoot(ann, "3-worker-gone");
  await both((visitor) => visitor.seesMoving(2, START_MS));
  seen.death = { told: toldAnn, movingAgainMs: performance.now() - killedAt, pid };
  await both((visitor) => visitor.seesNotice(/taken over/, PATIENCE_MS));
  seen.death.pidAfter = await until("the next worker's figures", PATIENCE_MS, async () => {
    const now = await ann.workerPid();
    return now !== pid && now;
  });
  await shoot(ann, "4-worker-again");

  await ben.page.reload();
  await until("Ben's tile to go", PATIENCE_MS, async () => (await ann.look()).length === 1);
  await ben.page.setViewport({ width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 1 });
  await ben.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await shoot(ben, "5-lobby-phone");
  await ben.join("pattern");
  await both((visitor) => visitor.seesMoving(2, START_MS));
  await shoot(ben, "6-room-phone");
  seen.overflow = await ben.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await ben.press("panel-button");
  await shoot(ben, "7-panel-phone");

  door.slam();
  [seen.lost] = await both((visitor) => visitor.seesNotice(/connection to the server is lost|cannot be reached/, PATIENCE_MS));
  await shoot(ann, "8-connection-lost");
  door.reopen();
  const reopenedAt = performance.now();
  await both((visitor) => visitor.seesMoving(2, START_MS));
  seen.reconnectedMs = performance.now() - reopenedAt;

  // No word comes any more, and nothing says so.
  door.jam();
  [seen.silent] = await both((visitor) => visitor.seesNotice(/nothing was heard/, SILENCE_MS));
  door.reopen();
  await both((visitor) => visitor.seesMoving(2, START_MS));

  await ben.press("leave-button");
  await until("Ann to be alone", PATIENCE_MS, async () => (await ann.look()).length === 1);
  await until("the worker to hold one visitor", PATIENCE_MS, async () => (
    / 1 visitor, 2 transports, 2 tracks in, 2 tracks out/.test(await ann.page.$eval("#worker-line", (line) => line.textContent))
  ));
  await shoot(ben, "9-left-phone");
  // What a browser says of the broken connection is right.
  seen.complaints = [...ann.complaints, ...ben.complaints].filter((line) => !/WebSocket connection|ERR_CONNECTION/.test(line));
  return { version: await browser.version(), ...seen };
}

// Visitors who have no camera, one of them on a page that may not ask for one.
async function sceneWithoutDevices(browser) {
  const open = async (name) => new Visitor(name, await (await browser.createBrowserContext()).newPage());
  const [cem, dan] = [await open("Cem"), await open("Dan")];
  await cem.enter(`http://127.0.0.1:${port}/pond`, "camera");
  const noDevice = await cem.seesNotice(/no camera/, PATIENCE_MS);
  await dan.page.goto(`http://${INSECURE_HOST}:${port}/pond`);
  const insecure = await dan.page.$eval("#origin:not([hidden])", (warning) => warning.textContent);
  const choices = await dan.page.$$eval("#enter button[type=submit]", (all) => all.filter((one) => one.checkVisibility()).length);
  await dan.join("pattern");
  await Promise.all([cem, dan].map((visitor) => visitor.seesMoving(2, START_MS)));
  await cem.shoot(path.join(screenshots, "10-no-camera.png"));
  return { noDevice, insecure, choices, complaints: [...cem.complaints, ...dan.complaints] };
}

// A visitor who does not let the page have the camera.
async function sceneRefused(browser) {
  const eve = new Visitor("Eve", await browser.newPage());
  await eve.enter(`http://127.0.0.1:${port}/brook`, "camera");
  const refused = await eve.seesNotice(/not allowed/, PATIENCE_MS);
  await eve.seesMoving(1, START_MS);
  return { refused, complaints: eve.complaints };
}

async function main() {
  await mkdir(screenshots, { recursive: true });
  const door = await openDoor(port);
  try {
    const within = (args, act) => inBrowser({ executable, args: [...LOOPBACK, ...args] }, act);
    const seen = await within(FAKE_DEVICES, (browser) => scene(browser, door));
    const withoutDevices = await within([], sceneWithoutDevices);
    const { refused, complaints } = await within([FAKE_DEVICES[0], "--deny-permission-prompts"], sceneRefused);
    return { ...seen, withoutDevices, refused, complaints: [...seen.complaints, ...complaints] };
  } finally {
    door.close();
  }
}

const ROOM = "Küche <b>1/2</b> & 50%";
const START_MS = 15_000;
const PATIENCE_MS = 8_000;
// More than the page waits for a word of the server.
const SILENCE_MS = 15_000;

report(main);
