// Waiting for what happens, never for a fixed time; and reading statistics.

export async function until(what, holds) {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

// Waits until `decoded` has not grown for a while: no picture is under way any more.
export async function settled(decoded) {
  let last = -1;
  let since = 0;
  await until("pictures to end", async () => {
    const now = await decoded();
    if (now !== last) [last, since] = [now, performance.now()];
    return performance.now() - since > QUIET_MS;
  });
}

// How long after `begin` has been called the next picture is on the screen of `element`. None may be under way.
export async function msToPicture(element, begin) {
  const shown = new Promise((resolve) => {
    element.requestVideoFrameCallback(() => resolve(performance.now()));
  });
  const begun = performance.now();
  await begin();
  return (await shown) - begun;
}

export function find(stats, type) {
  return [...(stats?.values() ?? [])].find((one) => one.type === type);
}

export function statistic(stats, type, name) {
  return find(stats, type)?.[name] ?? 0;
}

const PATIENCE_MS = 60_000;
const POLL_MS = 40;
// Longer than any pause between two pictures, a repair included.
const QUIET_MS = 500;
