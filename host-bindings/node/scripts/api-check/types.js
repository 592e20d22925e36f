// Facts about types: names that the package exports, members of interfaces, names of events. One compilation of a file
// with a line for each fact; the lines that do not compile are the facts that do not hold.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** Adds the facts of `facts.types`, `facts.typeMembers` and `facts.typeEvents`. */
export function checkTypes(facts, root, report) {
  const lines = [];
  const add = (name, line) => lines.push({ name, line });
  for (const name of facts.types) {
    add(
      `type ${name}`,
      `export type T${lines.length} = keyof Pick<{ x: import('tidegate/types').${name} }, 'x'>;`,
    );
  }
  for (const table of [facts.typeMembers, facts.typeEvents]) {
    for (const [name, members] of Object.entries(table)) {
      for (const member of members.split(' ')) {
        const type = `import('tidegate/types').${name}`;
        add(`type ${name}.${member}`, `export type T${lines.length} = Has<${type}, '${member}'>;`);
      }
    }
  }
  const wrong = compile(
    lines.map(({ line }) => line),
    root,
  );
  for (const [index, { name }] of lines.entries()) {
    report.fact(name, !wrong.has(index), wrong.get(index));
  }
}

/** The lines that do not compile, with what the compiler says. */
function compile(lines, root) {
  fs.mkdirSync(path.join(root, 'out'), { recursive: true });
  const folder = fs.mkdtempSync(path.join(root, 'out', 'facts-'));
  try {
    const head = 'type Has<T, K extends keyof T> = K;';
    fs.writeFileSync(path.join(folder, 'facts.ts'), [head, ...lines, ''].join('\n'));
    const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
    const options = [
      '--noEmit',
      '--ignoreConfig',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
    ];
    const { stdout, status } = spawnSync(process.execPath, [tsc, ...options, path.join(folder, 'facts.ts')], {
      cwd: root,
      encoding: 'utf8',
    });
    const wrong = new Map();
    for (const match of stdout.matchAll(/facts\.ts\((\d+),\d+\): error TS\d+: (.*)/g)) {
      wrong.set(Number(match[1]) - 2, match[2]);
    }
    if (status !== 0 && wrong.size === 0) {
      throw new Error(`the facts about types could not be compiled:\n${stdout}`);
    }
    return wrong;
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
