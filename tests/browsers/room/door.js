// A door before a server that can be slammed: every connection through it breaks, and no other comes through until it is
// opened again. Or it jams: connections stay, and nothing passes any more.

import net from "node:net";

export async function openDoor(port) {
  const pairs = new Set();
  let shut = false;
  let jammed = false;
  const pass = ({ near, far }) => {
    near.pipe(far);
    far.pipe(near);
  };
  const server = net.createServer((near) => {
    if (shut) {
      near.destroy();
      return;
    }
    const pair = { near, far: net.connect(port, "127.0.0.1") };
    pairs.add(pair);
    for (const [one, other] of [[near, pair.far], [pair.far, near]]) {
      one.on("error", () => {});
      one.on("close", () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    if (!jammed) pass(pair);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    slam() {
      shut = true;
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
    jam() {
      jammed = true;
      for (const { near, far } of pairs) {
        near.unpipe(far);
        far.unpipe(near);
      }
    },
    reopen() {
      shut = jammed = false;
      for (const pair of pairs) pass(pair);
    },
    close() {
      this.slam();
      server.close();
    },
  };
}
