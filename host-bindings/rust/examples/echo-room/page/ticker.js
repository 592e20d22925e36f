// A clock for the test pattern. Timers of a page in the background run once a second; those of a worker do not care.

setInterval(() => postMessage(null), 1_000 / 20);
