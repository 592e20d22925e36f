// Builds mediasoup-client.js, which the page loads, and LICENSES.txt, the licences of all that went into it:
//
//   npm ci && node bundle.mjs
//
// Both are checked in: to build and run the example takes no Node. `node bundle.mjs --check` changes nothing and fails
// when they are not what it would write.

import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));

async function bundle() {
  const built = await build({
    stdin: { contents: 'export { Device, detectDevice } from "mediasoup-client";', resolveDir: here },
    absWorkingDir: here, bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022",
    legalComments: "none", metafile: true, write: false,
    banner: { js: "// mediasoup-client and what it needs, bundled by bundle.mjs; their licences: LICENSES.txt" },
  });
  const used = Object.values(built.metafile.outputs)[0].inputs;
  const packages = Object.keys(used).filter((input) => used[input].bytesInOutput > 0).map(packageOf).filter(Boolean);
  return {
    "mediasoup-client.js": built.outputFiles[0].text,
    "LICENSES.txt": await licences([...new Set(packages)].sort()),
  };
}

// node_modules/@scope/name/lib/index.js -> @scope/name
function packageOf(input) {
  const [, below] = input.split("node_modules/").slice(-2);
  return below?.match(/^(@[^/]+\/)?[^/]+/)[0];
}

async function licences(names) {
  const texts = await Promise.all(names.map(async (name) => {
    const folder = path.join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    const text = (await readFile(path.join(folder, file), "utf8")).replaceAll("\r", "").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  }));
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

const check = process.argv.includes("--check");
for (const [name, text] of Object.entries(await bundle())) {
  const file = path.join(here, name);
  if (!check) await writeFile(file, text);
  else if ((await readFile(file, "utf8").catch(() => "")) !== text) {
    console.error(`${name} is not what bundle.mjs builds: run it without --check`);
    process.exitCode = 1;
  }
}
