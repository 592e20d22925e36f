// Visitors on the echo room's own page who come and go for minutes.
//
//   node soak.js '{"executable": "/usr/bin/chromium", "port": 8080, "rooms": 2, "people": 4, "seconds": 120, "seed": 1}'
//
// Each place in a room is taken by one visitor after the other, who has a window of its own, sends the test pattern, stays a
// while and leaves: by the button, or by closing the window. Progress goes to standard error. The last line of the output is
// what they counted, or `{"error": ...}`; it is judged elsewhere. The browser ends with this program, which ends with its
// standard input.

import { LOOPBACK, inBrowser, report } from "../browser.js";
import { Visitor, pause, until } from "./visitor.js";

const { executable, port, rooms, people, seconds, seed } = JSON.parse(process.argv[2]);

async function scene(browser) {
  const counted = { joins: 0, leaves: 0, closed: 0, sent: 0, received: 0, lost: 0, decoded: 0, complaints: [] };
  const end = performance.now() + seconds * 1_000;
  const seats = Array.from({ length: people }, (_, seat) => sit(browser, seat, end, counted));
  const outcomes = await Promise.allSettled(seats);
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
  return { version: await browser.version(), ...counted };
}

async function sit(browser, seat, end, counted) {
  const draw = random(seed * 1_000 + seat);
  await pause(draw() * 3_000);
  for (let stay = 0; performance.now() < end; stay += 1) {
    const context = await browser.createBrowserContext();
    const visitor = new Visitor(`visitor ${seat}.${stay}`, await context.newPage());
    await visitor.page.setViewport({ width: 640, height: 480 });
    await visitor.keepConnections();
    await visitor.enter(`http://127.0.0.1:${port}/soak-${seat % rooms}`, "pattern");
    await until(`${visitor.name} to see a picture`, START_MS, async () => (await flowed(visitor)).decoded > 0);
    counted.joins += 1;
    const stays = STAY_MS[0] + draw() * (STAY_MS[1] - STAY_MS[0]);
    await pause(Math.min(stays, Math.max(0, end - performance.now())));
    const all = await flowed(visitor);
    for (const name of ["sent", "received", "lost", "decoded"]) counted[name] += all[name];
    if (draw() < CLOSES) counted.closed += 1;
    else await visitor.press("leave-button");
    counted.complaints.push(...visitor.complaints);
    await context.close();
    counted.leaves += 1;
    console.error(`${visitor.name} left after ${Math.round(stays / 1_000)} s: ${all.decoded} pictures, ${all.received} packets, ${all.lost} lost`);
    await pause(draw() * AWAY_MS);
  }
}

// Of all that a visitor sent and was sent so far.
function flowed(visitor) {
  return visitor.page.evaluate(async () => {
    const sum = { sent: 0, received: 0, lost: 0, decoded: 0 };
    for (const connection of window.connections) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type === "outbound-rtp") sum.sent += stats.packetsSent ?? 0;
        if (stats.type !== "inbound-rtp") continue;
        sum.received += stats.packetsReceived ?? 0;
        sum.lost += stats.packetsLost ?? 0;
        sum.decoded += stats.framesDecoded ?? 0;
      }
    }
    return sum;
  });
}

// mulberry32: the same numbers for the same seed.
function random(seeded) {
  let state = seeded >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const STAY_MS = [15_000, 45_000];
const AWAY_MS = 1_500;
const CLOSES = 0.3;
const START_MS = 30_000;

report(() => inBrowser({ executable, args: LOOPBACK }, scene));
