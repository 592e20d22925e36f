// Fay with Firefox and Cho with Chromium meet on the echo room's own page.
//
//   node meeting.js '{"firefox": "/usr/bin/firefox-esr", "chromium": "/usr/bin/chromium", "port": 8080,
//                     "loopbackPort": 8081, "screenshots": "target/room"}'
//
// At `loopbackPort` is a server whose worker listens on loopback only.
//
// The last line of the output is what they saw, or `{"error": ...}`; it is judged elsewhere. The browsers end with this
// program, which ends with its standard input.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { LOOPBACK, inBrowser, report } from "../browser.js";
import { Visitor, cornerHue, until } from "./visitor.js";

const { firefox, chromium, port, loopbackPort, screenshots } = JSON.parse(process.argv[2]);

async function scene(foxes, chromes) {
  const address = `http://127.0.0.1:${port}/two%20browsers`;
  const [fay, cho] = [new Visitor("Fay", await foxes.newPage()), new Visitor("Cho", await chromes.newPage())];
  const both = (act) => Promise.all([act(fay), act(cho)]);
  const named = async (act) => {
    const [ofFay, ofCho] = await both(act);
    return { fay: ofFay, cho: ofCho };
  };
  const shoot = (visitor, name) => visitor.shoot(path.join(screenshots, `${name}.png`));
  await both(async ({ page }) => page.setViewport({ width: 1000, height: 800 }));
  await both((visitor) => visitor.keepConnections());

  // Fay's camera is the one that Firefox has for tests: a plain colour that changes slowly.
  await fay.enter(address, "camera");
  await cho.enter(address, "pattern");
  const moving = await named((visitor) => visitor.seesMoving(2, START_MS, COLOUR_MS));
  const energy = await named((visitor) => visitor.hearsEnergy(ENERGY, PATIENCE_MS));
  const levels = await named((visitor) => visitor.hears(PATIENCE_MS));
  await until("figures of what Fay sends and sees", PATIENCE_MS, async () => (
    (await fay.look()).flatMap(({ rows }) => rows).every(([name, size, , rate]) => name === "audio" || (size !== "–" && rate !== "–"))
  ));
  const rows = (await fay.look()).map((tile) => tile.rows);
  await shoot(fay, "11-firefox-camera");

  await fay.press("leave-button");
  await until("Cho to be alone", PATIENCE_MS, async () => (await cho.look()).length === 1);
  await fay.join("pattern");
  const [byFay, byCho] = await both((visitor) => visitor.seesMoving(2, START_MS));
  // Not the other way round: on a machine without a sound device Firefox keeps an AudioContext suspended, and with it the
  // beeps of the pattern.
  await fay.hearsEnergy(ENERGY, PATIENCE_MS);
  const hues = {
    patternOfCho: byCho.find(({ own }) => own).hue,
    choSeenByFay: cornerHue(byFay.find(({ own }) => !own)),
    patternOfFay: byFay.find(({ own }) => own).hue,
    faySeenByCho: cornerHue(byCho.find(({ own }) => !own)),
  };
  await fay.press("panel-button");
  await shoot(fay, "12-firefox-pattern");
  await shoot(cho, "13-chromium-beside-firefox");
  // What a browser says of connections that fail, below, is right.
  const complaints = [...fay.complaints, ...cho.complaints];
  await fay.press("leave-button");
  await fay.enter(`http://127.0.0.1:${loopbackPort}/alone`, "pattern");
  const toldOnLoopback = await fay.seesNotice(/no media|not get through/, START_MS);
  return {
    versions: [await foxes.version(), await chromes.version()],
    moving: { fay: moving.fay.length, cho: moving.cho.length }, hues, energy, levels, rows, toldOnLoopback, complaints,
  };
}

// Half a second of a test pattern's beeps.
const ENERGY = 0.001;
const COLOUR_MS = 2_500;
const START_MS = 20_000;
const PATIENCE_MS = 10_000;

report(async () => {
  await mkdir(screenshots, { recursive: true });
  return inBrowser({ kind: "firefox", executable: firefox }, (foxes) => (
    inBrowser({ executable: chromium, args: LOOPBACK }, (chromes) => scene(foxes, chromes))
  ));
});
