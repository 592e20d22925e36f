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
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import puppeteer from "puppeteer-core";

const here = path.dirname(fileURLToPath(import.meta.url));
const { browser: kind, executable, ...scene } = JSON.parse(process.argv[2]);

async function main() {
  const { server, origin } = await servePage();
  const home = await mkdtemp(path.join(tmpdir(), "tidegate-browser-"));
  const browser = await puppeteer.launch(launchOptions(home));
  const end = async () => {
    await browser.close().catch(() => {});
    server.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  process.stdin.on("end", () => end().finally(() => process.exit(1))).resume();
  try {
    const page = await browser.newPage();
    page.on("console", (message) => console.error(`page: ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => console.error(`page: uncaught: ${error.message}`));
    await page.goto(origin);
    const counted = await page.evaluate((described) => window.echo(described), scene);
    return { version: await browser.version(), ...counted };
  } finally {
    await end();
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

function launchOptions(home) {
  const common = { executablePath: executable, headless: true, userDataDir: path.join(home, "profile"), timeout: 60_000,
    protocolTimeout: 240_000 };
  if (kind === "firefox") {
    return { ...common, browser: "firefox",
      env: { ...process.env, HOME: home, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
      extraPrefsFirefox: {
        "media.navigator.streams.fake": true,
        "media.navigator.permission.disabled": true,
        "media.peerconnection.ice.obfuscate_host_addresses": false,
        "media.peerconnection.ice.loopback": true,
        "media.autoplay.default": 0,
        "media.autoplay.blocking_policy": 0,
      } };
  }
  // By a pipe: Chromium ends when its other end does.
  return { ...common, pipe: true, env: { ...process.env, HOME: home }, args: [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic",
    // Nothing here needs a name, and browsers like to call home.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--use-fake-device-for-media-stream=fps=30", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
  ] };
}

main().then(
  (result) => { console.log(JSON.stringify(result)); process.exit(0); },
  (error) => { console.log(JSON.stringify({ error: error.stack ?? String(error) })); process.exit(1); },
);
