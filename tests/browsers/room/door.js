// A door before a server that can be slammed: every connection through it breaks, and no other comes through until it is
// opened again.

import net from "node:net";

export async function openDoor(port) {
  const through = new Set();
  let shut = false;
  const server = net.createServer((near) => {
    if (shut) {
      near.destroy();
      return;
    }
    const far = net.connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      through.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        through.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    slam() {
      shut = true;
      for (const socket of through) socket.destroy();
    },
    reopen() { shut = false; },
    close() {
      this.slam();
      server.close();
    },
  };
}
