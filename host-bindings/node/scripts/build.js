// Builds dist/: one implementation as CommonJS, and ES modules that hand it on by name.
//
// One implementation and not two, because two would be two packages in a process that uses both: an error thrown by the
// one would not be an `instanceof` of the other's class, and a worker made by the one unknown to the other's observer.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const require = createRequire(import.meta.url);
const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');

/** The package's entry points: ES module to CommonJS module. */
const entries = {
  index: 'index',
  types: 'types',
  errors: 'errors',
  ortc: 'ortc/index',
  extras: 'extras',
};

fs.rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '--project', path.join(root, 'tsconfig.json')], { stdio: 'inherit' });
fs.writeFileSync(path.join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
fs.mkdirSync(path.join(dist, 'esm'));
for (const [entry, implementation] of Object.entries(entries)) {
  const module = `../cjs/${implementation}.js`;
  const names = Object.keys(require(path.join(dist, 'esm', module))).filter((name) => name !== '__esModule');
  const code =
    names.length === 0
      ? 'export {};\n'
      : `import all from '${module}';\n\nexport default all;\nexport const { ${names.join(', ')} } = all;\n`;
  fs.writeFileSync(path.join(dist, 'esm', `${entry}.js`), code);
  // With mediasoup, which is CommonJS, the default import is the whole of it too.
  const all = names.length === 0 ? '' : `import * as all from '${module}';\nexport { all as default };\n`;
  fs.writeFileSync(path.join(dist, 'esm', `${entry}.d.ts`), `export * from '${module}';\n${all}`);
}
