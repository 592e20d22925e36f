/**
 * The page: its files, which are those of the Rust example.
 *
 * Knows where they are. Does not know what the page does.
 */

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** @typedef {{ status: number, headers: Record<string, string>, body: string }} Answer */

/** Types of the files that are served; there are others beside them, which are not. */
const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
]);

// One page for both examples, here in the repository.
const FOLDER = new URL('../../../../rust/examples/echo-room/page/', import.meta.url);

/** Names of the files that may be asked for, `/` between folders. */
const FILES = new Set(
  readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((file) => TYPES.has(path.extname(file))),
);

/** The same for every room: it reads the room's name from its address. */
export const index = () => file('index.html');

/**
 * One of the page's files.
 *
 * @param {string} name
 * @returns {Promise<Answer>}
 */
export async function file(name) {
  if (!FILES.has(name)) return refusal(404, 'there is no such file');
  const body = await readFile(new URL(name, FOLDER), 'utf8');
  return { status: 200, headers: { 'content-type': TYPES.get(path.extname(name)) ?? '', ...COMMON }, body };
}

/**
 * @param {number} status
 * @param {string} why
 * @returns {Answer}
 */
export function refusal(status, why) {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...COMMON }, body: `${why}\n` };
}

const COMMON = {
  // Another version of this program brings another page.
  'cache-control': 'no-cache',
  'content-security-policy':
    "default-src 'self'; media-src 'self' blob: mediastream:; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};
