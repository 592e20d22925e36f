// The licences of everything that is linked into the worker: whoever hands a program on hands these on with it.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** The text of `LICENSES.txt`, for the worker that is built for `target`. */
export function workerLicences(repository, target) {
  const what = ['metadata', '--locked', '--format-version', '1', '--filter-platform', target];
  const text = execFileSync('cargo', what, {
    cwd: repository,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 2],
  });
  const { packages, resolve } = JSON.parse(text);
  const byId = new Map(packages.map((one) => [one.id, one]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const worker = packages.find(({ name }) => name === 'tidegate-worker');
  const linked = new Set();
  const walk = (id) => {
    if (linked.has(id)) return;
    linked.add(id);
    const linkedTo = nodes.get(id).deps.filter((one) => one.dep_kinds.some(({ kind }) => kind === null));
    for (const { pkg } of linkedTo) if (!isMacro(byId.get(pkg))) walk(pkg);
  };
  walk(worker.id);
  /** Most texts are the same word for word. @type {Map<string, string[]>} */
  const namesByText = new Map();
  // Ours are beside this file; what has a source came from elsewhere.
  const others = [...linked].map((id) => byId.get(id)).filter(({ source }) => source !== null);
  for (const { name, version, license, manifest_path } of others.sort(byName)) {
    const texts = textsIn(path.dirname(manifest_path));
    for (const licence of texts.length > 0 ? texts : ['Their packages have no text of it.']) {
      namesByText.set(licence, [...(namesByText.get(licence) ?? []), `${name} ${version} (${license})`]);
    }
  }
  const parts = [...namesByText].map(([licence, names]) => `${names.join('\n')}\n\n${licence}`);
  return [PREFACE, ...parts].join(RULE);
}

const byName = (one, other) => (one.name < other.name ? -1 : 1);

/** Procedural macros run in the compiler; nothing of them is in the program. */
const isMacro = ({ targets }) => targets.some(({ kind }) => kind.includes('proc-macro'));

function textsIn(folder) {
  const files = fs.readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const plain = files.map((file) => path.join(folder, file)).filter((file) => fs.statSync(file).isFile());
  return plain.map((file) => fs.readFileSync(file, 'utf8').trim());
}

const RULE = `\n\n${'-'.repeat(80)}\n\n`;

const PREFACE = `tidegate-worker is licensed under MIT or Apache-2.0, see LICENSE-MIT and LICENSE-APACHE. Linked into it are:

* the GNU C Library, Copyright (C) Free Software Foundation, Inc., under the GNU Lesser General Public License 2.1 or later
  (https://www.gnu.org/software/libc/). To link the program with another version of it, build the worker from source with
  host-bindings/node/scripts/pack.js of the project.
* the Rust standard library, Copyright (c) The Rust Project Contributors, under MIT or Apache-2.0
  (https://github.com/rust-lang/rust).
* the packages below.`;
