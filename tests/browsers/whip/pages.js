// Pages of another origin than the server's, that publish and play with nothing but RTCPeerConnection and fetch.
//
// Knows browsers and `client.js`. Does not know what must be seen.

import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { cornerHue, until } from "../room/visitor.js";

// Serves an empty page with `client.js`; where.
export async function serveClient() {
  const script = await readFile(path.join(import.meta.dirname, "client.js"));
  const page = `<!doctype html><meta charset="utf-8"><title>WHIP</title><script>${script}</script><body>`;
  const server = http.createServer((_, response) => response.setHeader("content-type", "text/html; charset=utf-8").end(page));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}/`;
}

// Where to publish to and to play from.
export const placesOf = (port) => (door, room, query = "") => (
  `http://127.0.0.1:${port}/${door}/${encodeURIComponent(room)}${query}`
);

// A page of `publishers` sends, one of `players` sees it, restarts ICE, and sees it still. `hears`: whether there is a tone
// to be heard: on a machine without a sound device Firefox keeps an AudioContext suspended.
export async function publishAndPlay({ publishers, players, origin, at, room, hears = true }) {
  const [publisher, player] = [await open(publishers, origin), await open(players, origin)];
  const nothing = await publisher.evaluate((url) => window.play(url).catch((error) => error.message), at("whep", room));
  const published = await publisher.evaluate((url, hue) => window.publish(url, hue), at("whip", room), HUE);
  const played = await player.evaluate((url) => window.play(url), at("whep", room));
  const seen = await goesOn(player, hears);
  const restarted = await player.evaluate(() => window.restart());
  const again = await goesOn(player, hears);
  const ended = [await player.evaluate(() => window.end()), await publisher.evaluate(() => window.end())];
  return {
    nothing, published, played, ended, restarted,
    moves: seen.pixels.some((value, index) => Math.abs(value - again.pixels[index]) > 40), hue: cornerHue(seen),
    frames: again.framesDecoded,
  };
}

// A publisher offers three encodings, and is answered that one will do; how many frames a player saw.
export async function publishSimulcast({ publishers, players, origin, at, room }) {
  const [publisher, player] = [await open(publishers, origin), await open(players, origin)];
  const { answer } = await publisher.evaluate((url, hue) => window.publish(url, hue, 3), at("whip", room), HUE);
  await player.evaluate((url) => window.play(url), at("whep", room));
  const { framesDecoded } = await goesOn(player, true);
  for (const page of [player, publisher]) await page.evaluate(() => window.end());
  return { frames: framesDecoded, answered: /a=(simulcast|rid)/.test(answer) };
}

async function open(browser, origin) {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.goto(origin);
  return page;
}

// Waits for two more seconds of pictures; what is seen then.
async function goesOn(player, hears) {
  const look = () => player.evaluate(() => window.look());
  const before = await look();
  return until("the picture to go on", PATIENCE_MS, async () => {
    const now = await look();
    return now.framesDecoded > before.framesDecoded + FRAMES && (now.audioEnergy > 0 || !hears) && now;
  });
}

const HUE = 200;
const FRAMES = 60;
const PATIENCE_MS = 12_000;
