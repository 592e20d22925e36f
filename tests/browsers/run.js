// Opens a browser on the page, lets it echo and prints what it counted.
//
//   node run.js '{"browser": "chromium", "executable": "/usr/bin/chromium", "signalling": "ws://127.0.0.1:1/signalling?room=a",
//                 "video": "VP8", "frames": 200}'
//
// | field            | meaning |
// | ---------------- | --- |
// | `browser`        | `chromium` or `firefox` |
// | `executable`     | its program |
// | `signalling`     | the room |
// | `video`          | the codec of the picture; the sound is Opus |
// | `frames`         | after so many encoded frames the counting ends |
// | `forceTcp`       | ICE over TCP only |
// | `ownPorts`       | transports with ports of their own |
// | `throughUdpPort` | the UDP port of a proxy before the worker |
// | `restartIce`     | restart ICE of both transports half way |
// | `resumes`        | pause and resume the picture's consumer so often after that |
//
// The last line of the output is the result, or `{"error": ...}`. What the page says goes to the error output. The
// browser ends with this program, which ends with its standard input.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { FAKE_DEVICES, LOOPBACK, inBrowser, report } from "./browser.js";

const here = path.dirname(fileURLToPath(import.meta.url));
const { browser: kind, executable, ...scene } = JSON.parse(process.argv[2]);

async function main() {
  const { server, origin } = await servePage();
  try {
    return await inBrowser({ kind, executable, args: ARGS }, async (browser) => {
      const page = await browser.newPage();
      page.on("console", (message) => console.error(`page: ${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => console.error(`page: uncaught: ${error.message}`));
      await page.goto(origin);
      const counted = await page.evaluate((described) => window.echo(described), scene);
      return { version: await browser.version(), ...counted };
    });
  } finally {
    server.close();
  }
}

async function servePage() {
  const bundled = await build({
    entryPoints: [path.join(here, "page.js")], bundle: true, format: "iife", platform: "browser", write: false,
  });
  const html = await readFile(path.join(here, "page.html"));
  const files = {
    "/": ["text/html", html],
    "/page.bundle.js": ["text/javascript", bundled.outputFiles[0].contents],
  };
  const server = createServer(({ url }, response) => {
    const [type, content] = files[url] ?? ["text/plain", ""];
    response.writeHead(files[url] ? 200 : 204, { "content-type": `${type}; charset=utf-8` }).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${server.address().port}/` };
}

// Sound is played though nobody touched the page.
const ARGS = [...LOOPBACK, ...FAKE_DEVICES, "--autoplay-policy=no-user-gesture-required"];

report(main);
