// What a worker prints, cut into lines.
import type { Readable } from 'node:stream';

/** Calls `onLine` for each line of `source`. A longer one than `LINE_CHARACTERS_MAX` is cut in two. */
export function readLines(source: Readable, onLine: (line: string) => void): void {
  let rest = '';
  source.setEncoding('utf8');
  source.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    while (rest.length > LINE_CHARACTERS_MAX) {
      lines.push(rest.slice(0, LINE_CHARACTERS_MAX));
      rest = rest.slice(LINE_CHARACTERS_MAX);
    }
    lines.filter((line) => line !== '').forEach(onLine);
  });
  source.on('end', () => {
    if (rest !== '') {
      onLine(rest);
    }
  });
  source.on('error', () => undefined);
}

const LINE_CHARACTERS_MAX = 1024;
