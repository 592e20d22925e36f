// Publishers and players that know WHIP and WHEP, and a visitor on the echo room's own page.
//
//   node run.js '{"executable": "/usr/bin/chromium", "python": "/usr/bin/python3", "port": 8080}'
//
// The last line of the output is what was seen, or `{"error": ...}`; it is judged elsewhere. Browser and peers end with
// this program, which ends with its standard input.

import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { LOOPBACK, inBrowser, report } from "../browser.js";
import { Visitor, until } from "../room/visitor.js";
import { placesOf, publishAndPlay, publishSimulcast, serveClient } from "./pages.js";

const { executable, python, port } = JSON.parse(process.argv[2]);
const at = placesOf(port);

// A publisher whose program is killed: nothing says goodbye for it.
async function killPublisher() {
  const publisher = peer("publish", at("whip", "gone"));
  const { session } = await publisher.line("connected");
  publisher.kill();
  const killedAt = performance.now();
  const isGone = async () => (await fetch(session, { method: "PATCH" })).status === 404;
  return async () => {
    await until("a publisher that was killed to be let go", GONE_MS, isGone);
    return performance.now() - killedAt;
  };
}

// GStreamer sends to a room, the page shows it; the page sends, GStreamer plays that.
async function sceneOfPeers(browser) {
  const publisher = peer("publish", at("whip", ROOM));
  await publisher.line("connected");
  const visitor = new Visitor("Ann", await browser.newPage());
  await visitor.enter(`http://127.0.0.1:${port}/${encodeURIComponent(ROOM)}`, "pattern");
  const tiles = await visitor.seesMoving(2, START_MS);
  const names = await visitor.page.$$eval(".tile", (all) => all.map((tile) => tile.getAttribute("aria-label")));
  const { peer: id } = tiles.find(({ own }) => own);
  const played = await peer("play", at("whep", ROOM, `?peer=${id}`)).line("pictures");
  // The newest picture is the visitor's, too.
  const newest = await peer("play", at("whep", ROOM)).line("pictures");
  publisher.end();
  const published = await publisher.line("statuses");
  await until("the publisher's tile to go", PATIENCE_MS, async () => (await visitor.look()).length === 1);
  return { names, published, played, newest, complaints: visitor.complaints };
}

// A program with GStreamer: its lines of JSON, by a word that they have.
function peer(...args) {
  const script = path.join(import.meta.dirname, "../../peers/python/whip.py");
  const child = spawn(python, [script, ...args], { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
  children.add(child);
  const lines = [];
  let complaint = "";
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
  child.stderr.on("data", (data) => { complaint += data; });
  return {
    async line(word) {
      const found = () => lines.find((line) => word in line);
      await until(`${args[0]} to tell of ${word}`, PEER_MS, () => found() || child.exitCode !== null);
      if (!found()) throw new Error(`${args.join(" ")}: ${complaint}`);
      return found();
    },
    end: () => child.stdin.end(),
    kill: () => child.kill("SIGKILL"),
  };
}

async function main() {
  const args = [...LOOPBACK, "--autoplay-policy=no-user-gesture-required"];
  process.stdin.once("end", endPeers);
  try {
    const killed = await killPublisher();
    // Looked at all the time, not only in the end.
    const killedGone = killed();
    killedGone.catch(() => {}); // Awaited below.
    const origin = await serveClient();
    const seen = await inBrowser({ executable, args }, async (browser) => {
      const within = (room) => ({ publishers: browser, players: browser, origin, at, room });
      return {
        version: await browser.version(), pages: await publishAndPlay(within("pier")),
        simulcast: await publishSimulcast(within("tower")), peers: await sceneOfPeers(browser),
      };
    });
    return { ...seen, peers: { ...seen.peers, killedGoneMs: await killedGone } };
  } finally {
    endPeers();
  }
}

function endPeers() {
  for (const child of children) child.kill();
}

const children = new Set();
const ROOM = "yard <b>1</b>";
const START_MS = 15_000;
const PATIENCE_MS = 8_000;
const PEER_MS = 40_000;
// Consent, and the time for an ICE restart.
const GONE_MS = 60_000;

report(main);
