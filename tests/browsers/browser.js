// A browser with a home of its own, for as long as it is needed.
//
// It ends when what was to be done is done, and with the standard input of this program.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";

// Starts `executable`, whose kind is `chromium` or `firefox`, lets `act` have it, and ends it. `args` are Chromium's.
export async function inBrowser({ kind = "chromium", executable, args = [] }, act) {
  const home = await mkdtemp(path.join(tmpdir(), "tidegate-browser-"));
  const browser = await puppeteer.launch({
    executablePath: executable, headless: true, userDataDir: path.join(home, "profile"), timeout: 60_000,
    protocolTimeout: 240_000, ...(kind === "firefox" ? firefox(home) : chromium(home, args)),
  });
  const end = async () => {
    await browser.close().catch(() => {});
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  const abandon = () => end().finally(() => process.exit(1));
  process.stdin.once("end", abandon).resume();
  try {
    return await act(browser);
  } finally {
    process.stdin.off("end", abandon);
    await end();
  }
}

function chromium(home, args) {
  return {
    // By a pipe: Chromium ends when its other end does.
    pipe: true, env: { ...process.env, HOME: home },
    args: [
      "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--disable-quic",
      // Nothing else needs a name, and browsers like to call home.
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
      ...args,
    ],
  };
}

function firefox(home) {
  return {
    browser: "firefox", env: { ...process.env, HOME: home, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.peerconnection.ice.obfuscate_host_addresses": false,
      "media.peerconnection.ice.loopback": true,
      "media.autoplay.default": 0,
      "media.autoplay.blocking_policy": 0,
    },
  };
}

// Runs the script: its last line of output is what `main` gives, or `{"error": ...}`.
export function report(main) {
  main().then(
    (seen) => { console.log(JSON.stringify(seen)); process.exit(0); },
    (error) => { console.log(JSON.stringify({ error: error.stack ?? String(error) })); process.exit(1); },
  );
}

// Chromium's, by default, are the addresses of networks only: a machine without any has none.
export const LOOPBACK = ["--allow-loopback-in-peer-connection"];
export const FAKE_DEVICES = ["--use-fake-device-for-media-stream=fps=30", "--use-fake-ui-for-media-stream"];
// A name is no secure origin, whatever it leads to.
export const INSECURE_HOST = "room.test";
