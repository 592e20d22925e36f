/** What needs no worker: names, pauses, reasons, rates. The rest is tested with visitors, by the tests of the Rust example. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { clipped } from '../src/conversation.js';
import { figuresOf, residentBytesOf } from '../src/figures.js';
import { BadName, roomName } from '../src/limits.js';
import * as page from '../src/page.js';
import { Misread, read } from '../src/signalling.js';
import { BackOff } from '../src/stage.js';

test('names are trimmed and checked', () => {
  assert.equal(roomName(' kitchen '), 'kitchen');
  assert.equal(roomName('<b>Küche</b> & Ко/台所'), '<b>Küche</b> & Ко/台所');
  assert.equal(roomName('🌊'.repeat(64)), '🌊'.repeat(64));
  for (const bad of [' \t', 'a\0b', 'a\nb', '🌊'.repeat(65)]) assert.throws(() => roomName(bad), BadName);
});

test('pauses double while workers die young and begin anew after a long life', () => {
  const backOff = new BackOff();
  const pause = (/** @type {number} */ livedMs) => {
    const { inARow, restartInMs } = backOff.death(livedMs, '');
    return [inARow, restartInMs];
  };
  const young = Array.from({ length: 9 }, () => pause(1_000));
  const pauses = [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
  assert.deepEqual(
    young,
    pauses.map((ms, index) => [index + 1, ms]),
  );
  assert.deepEqual(pause(30_000), [1, 0]);
  assert.deepEqual(pause(29_999), [2, 500]);
  for (let death = 0; death < 100; death += 1) pause(0);
  assert.deepEqual(pause(0), [103, 30_000]);
});

test('reasons are clipped between characters', () => {
  assert.equal(clipped('short'), 'short');
  assert.equal(clipped('ж'.repeat(100)), 'ж'.repeat(61));
  assert.equal(clipped('x'.repeat(123)), 'x'.repeat(123));
});

test('requests are read, and what is none is named with its id', () => {
  assert.deepEqual(read('{"id": 1, "method": "createTransport"}'), {
    id: 1,
    method: 'createTransport',
    data: {},
  });
  for (const [text, id] of /** @type {[string, number | undefined][]} */ ([
    ['', undefined],
    ['[]', undefined],
    ['{"id": -1, "method": "watchFigures"}', undefined],
    ['{"id": 18446744073709551616, "method": "watchFigures"}', undefined],
    ['{"id": 7}', 7],
    ['{"id": 8, "method": "constructor"}', 8],
    ['{"id": 9, "method": "consume", "data": {"transportId": 5, "producerId": "x"}}', 9],
    ['{"id": 10, "method": "createTransport", "data": {"forceTcp": 1}}', 10],
    ['{"id": 11, "method": "join", "data": {"rtpCapabilities": {"codecs": [{}]}}}', 11],
  ])) {
    assert.throws(
      () => read(text),
      (error) => error instanceof Misread && error.id === id,
      text,
    );
  }
});

test('rates are of the time between two looks, and unknown at the first', () => {
  const look = (
    /** @type {number} */ atMs,
    /** @type {number} */ cpuMs,
    /** @type {number} */ forwarded,
    /** @type {number[]} */ buckets,
    /** @type {number} */ sum,
  ) => ({
    atMs,
    pid: 7,
    cpuMs,
    metrics: { values: { packets_forwarded: forwarded }, histograms: { gso_run_length: { buckets, sum } } },
  });
  const [before, after] = [look(0, 100, 1_000, [1, 1], 10), look(2_000, 150, 1_500, [2, 10], 100)];
  const figures = figuresOf(after, before);
  assert.equal(figures.cpuPercent, 2.5);
  assert.equal(figures.forwardedPerSecond, 250);
  assert.equal(figures.sentPerSecond, 45);
  assert.equal(figures.gsoRunLength, 9);
  assert.equal(figures.forwardDelayMs, null);
  assert.equal(figuresOf(before).cpuPercent, null);
  assert.equal(figuresOf(before).gsoRunLength, null);
});

test('memory of a live process is known and of none is not', async () => {
  assert.ok(((await residentBytesOf(process.pid)) ?? 0) > 1_000_000);
  assert.equal(await residentBytesOf(4_194_305), null);
});

test('every script that a file of the page names is served', async () => {
  const { body } = await page.index();
  const named = [...body.matchAll(/"\/page\/([^"]+)"/g)].map(([, name]) => name ?? '');
  assert.ok(named.length >= 3);
  for (let name; (name = named.pop());) {
    const { status, body: text } = await page.file(name);
    assert.equal(status, 200, name);
    if (!name.includes('/'))
      named.push(...[...text.matchAll(/ from "\.\/([^"]+)"/g)].map(([, script]) => script ?? ''));
  }
  assert.equal((await page.file('../Cargo.toml')).status, 404);
  assert.equal((await page.file('vendor/bundle.mjs')).status, 404);
});
