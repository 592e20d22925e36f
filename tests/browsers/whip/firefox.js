// What Firefox publishes Chromium plays, and the other way round, by WHIP and WHEP.
//
//   node firefox.js '{"firefox": "/usr/bin/firefox-esr", "chromium": "/usr/bin/chromium", "port": 8080}'
//
// The last line of the output is what was seen, or `{"error": ...}`; it is judged elsewhere. The browsers end with this
// program, which ends with its standard input.

import { LOOPBACK, inBrowser, report } from "../browser.js";
import { placesOf, publishAndPlay, serveClient } from "./pages.js";

const { firefox, chromium, port } = JSON.parse(process.argv[2]);
const args = [...LOOPBACK, "--autoplay-policy=no-user-gesture-required"];

async function scene(foxes, chromes) {
  const common = { origin: await serveClient(), at: placesOf(port) };
  return {
    versions: [await foxes.version(), await chromes.version()],
    published: await publishAndPlay({ ...common, publishers: foxes, players: chromes, room: "den", hears: false }),
    played: await publishAndPlay({ ...common, publishers: chromes, players: foxes, room: "dune" }),
  };
}

report(() => inBrowser({ kind: "firefox", executable: firefox }, (foxes) => (
  inBrowser({ executable: chromium, args }, (chromes) => scene(foxes, chromes))
)));
