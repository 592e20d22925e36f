import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';
import { createWorker, setLogEventListeners } from 'tidegate';
import { RequestTimeoutError, WorkerClosedError } from 'tidegate/errors';
import { gone, loopback, mediaCodecs, program, record, worker } from './workers.js';

test('a worker that is killed has died, and everybody is told at once', async (t) => {
  const [made, other] = [await worker(t), await worker(t)];
  const router = await made.createRouter({ mediaCodecs });
  const transport = await router.createPlainTransport({ listenInfo: loopback });
  const events: string[] = [];
  record(events, 'worker', made, 'died', 'subprocessclose');
  record(events, 'worker observer', made.observer, 'close');
  record(events, 'router', router, 'workerclose');
  record(events, 'transport', transport, 'routerclose');
  const died = new Promise<Error>((resolve) => {
    made.once('died', resolve);
  });
  process.kill(made.pid, 'SIGSTOP');
  const pending = [made.dump(), router.dump(), transport.getStats()];
  process.kill(made.pid, 'SIGKILL');
  for (const request of pending) {
    await assert.rejects(
      request,
      (error) => error instanceof WorkerClosedError && /SIGKILL/.test(error.message),
    );
  }
  assert.match((await died).message, /was ended by SIGKILL/);
  assert.deepEqual(events, [
    'transport routerclose',
    'router workerclose',
    'worker died',
    'worker subprocessclose',
    'worker observer close',
  ]);
  assert.deepEqual([made.died, made.closed, made.subprocessClosed], [true, true, true]);
  await assert.rejects(made.createRouter(), WorkerClosedError);
  assert.equal((await other.dump()).pid, other.pid);
});

test('a worker that is stopped is told from a slow one, and goes on when it is continued', async (t) => {
  const made = await worker(t, { requestTimeout: 300 });
  process.kill(made.pid, 'SIGSTOP');
  const started = performance.now();
  const late = made.createRouter({ mediaCodecs });
  await assert.rejects(late, (error) => {
    assert.ok(error instanceof RequestTimeoutError);
    assert.match(
      error.message,
      /did not answer within 0.3 s: its process \d+ is stopped; continue it with `kill -CONT/,
    );
    return true;
  });
  assert.ok(performance.now() - started < 5000);
  process.kill(made.pid, 'SIGCONT');
  // The router that nobody waited for any more was closed again.
  let routers = ['?'];
  while (routers.length > 0) {
    routers = (await made.dump()).routerIds;
  }
  await made.createRouter({ mediaCodecs });
  assert.ok(!made.closed);
});

test('a worker that does not leave when it is closed is killed', async (t) => {
  const made = await worker(t);
  process.kill(made.pid, 'SIGSTOP');
  made.close();
  await gone(made);
  assert.ok(!made.died);
  assert.throws(() => process.kill(made.pid, 0));
});

test('a program that cannot be a worker is refused with a sentence', async () => {
  const settings = { workerBin: '/nonexistent/tidegate-worker' };
  await assert.rejects(createWorker(settings), /there is no worker program at \/nonexistent.*cargo build/);
  await assert.rejects(createWorker({ workerBin: '/bin/true' }), /did not greet but exited with code 0/);
  await assert.rejects(createWorker({ workerBin: import.meta.filename }), /could not be started: .*EACCES/);
  await assert.rejects(
    script('echo far too much for a frame >&4; sleep 9'),
    /announced a frame of \d+ bytes/,
  );
  await assert.rejects(script('sleep 9', { startTimeout: 200 }), /did not greet within 0.2 s/);
  await assert.rejects(
    script("printf '\\010\\0\\0\\0\\0\\0\\0\\0\\143\\0\\0\\0' >&4; sleep 9"),
    /speaks protocol version 99, this host \d+/,
  );
  await assert.rejects(
    script('echo not today >&2; exit 70'),
    /exited with code 70 \(internal error\); its last words: not today/,
  );
});

test('settings that the worker would refuse are type errors', async () => {
  for (const settings of [
    { logLevel: 'loud' as 'debug' },
    { logTags: 'rtp' as unknown as [] },
    { batchInterval: 3 },
    { packetMemoryLimit: 1 },
    { rtcMinPort: 70_000 },
    { rtcMinPort: 2000, rtcMaxPort: 1000 },
    { dtlsCertificateFile: '/nonexistent.pem' },
    { startTimeout: -1 },
    { appData: 'text' as unknown as Record<string, unknown> },
  ]) {
    await assert.rejects(
      createWorker({ workerBin: program, ...settings }),
      TypeError,
      JSON.stringify(settings),
    );
  }
});

test('nonsense on the pipe ends the worker with its cause', async (t) => {
  const died = await new Promise<Error>((resolve, reject) => {
    const greeting = fs.readFileSync(goldenHello());
    script(`cat ${greetingFile(t, greeting)} >&4; head -c 8 /dev/zero | tr '\\0' '\\1' >&4; sleep 9`).then(
      (made) => {
        made.once('died', resolve);
      },
      reject,
    );
  });
  assert.match(died.message, /was killed because it announced a frame of \d+ bytes/);
});

test('what a worker prints and logs reaches the listeners, whose own errors harm nobody', async (t) => {
  const lines: string[] = [];
  setLogEventListeners({
    ondebug: (namespace, log) => lines.push(`${namespace} ${log}`),
    onerror: () => {
      throw new Error('mine');
    },
  });
  t.after(() => {
    setLogEventListeners();
  });
  const made = await worker(t, { logLevel: 'debug', logTags: ['info', 'rtp', 'ice'] });
  const router = await made.createRouter({ mediaCodecs });
  await router.createPlainTransport({ listenInfo: loopback });
  assert.ok(
    lines.some((line) => line.startsWith('tidegate:Worker [pid:')),
    lines.join('\n'),
  );
});

test('a host that is told to end closes its workers and ends as it would have', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const host = await hostProcess(t, '');
    host.child.kill(signal);
    const [code, by] = (await once(host.child, 'exit')) as [number | null, string | null];
    assert.deepEqual([code, by], [null, signal]);
    assert.deepEqual(host.lines, ['closed, died: false']);
    await vanished(host.pid);
  }
  // A host that listens itself goes on; only its workers are closed, also when the signal reached them too.
  const host = await hostProcess(t, "process.on('SIGINT', () => console.log('heard'));");
  process.kill(host.pid, 'SIGINT');
  host.child.kill('SIGINT');
  const [code] = (await once(host.child, 'exit')) as [number | null];
  assert.equal(code, 0);
  assert.deepEqual(host.lines.sort(), ['closed, died: false', 'gone', 'heard']);
});

test('a host that is killed leaves no worker behind', async (t) => {
  const host = await hostProcess(t, '');
  host.child.kill('SIGKILL');
  await vanished(host.pid);
});

/** Starts a shell script as worker program. */
async function script(text: string, settings: { startTimeout?: number } = {}) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'worker-')), 'script');
  fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  try {
    return await createWorker({ workerBin: file, ...settings });
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true });
  }
}

function greetingFile(t: { after: (call: () => void) => void }, content: Buffer): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'greeting-'));
  t.after(() => {
    fs.rmSync(folder, { recursive: true });
  });
  const file = path.join(folder, 'frame');
  const line = content
    .toString()
    .split('\n')
    .find((text) => text.startsWith('hello '));
  fs.writeFileSync(file, Buffer.from(line!.slice('hello '.length), 'hex'));
  return file;
}

function goldenHello(): string {
  return path.resolve(import.meta.dirname, '../../../protocol/vectors/golden.txt');
}

/** A process with a worker; `lines` is what it prints after the worker's id. */
async function hostProcess(t: { after: (call: () => void) => void }, extra: string) {
  const code = `
    import { createWorker } from 'tidegate';
    ${extra}
    const worker = await createWorker({ workerBin: ${JSON.stringify(program)} });
    worker.observer.on('close', () => console.log('closed, died: ' + worker.died));
    worker.on('died', () => console.log('died'));
    worker.on('subprocessclose', () => console.log('gone'));
    console.log(worker.pid);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    child.kill('SIGKILL');
  });
  const lines: string[] = [];
  const reader = readline.createInterface({ input: child.stdout });
  const first = once(reader, 'line') as Promise<[string]>;
  const pid = Number((await first)[0]);
  reader.on('line', (line) => lines.push(line));
  return { child, pid, lines };
}

/** Waits until there is no such process, other than as a zombie that its parent does not know of. */
async function vanished(pid: number): Promise<void> {
  while (
    fs.existsSync(`/proc/${pid}`) &&
    !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
