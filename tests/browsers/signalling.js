// The conversation with an echo room: JSON over a WebSocket, documented in the example `echo-room`.

export async function converse(url) {
  const socket = new WebSocket(url);
  const waiting = new Map();
  const listeners = [];
  let lastId = 0;
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if (told.event) {
      for (const listener of listeners) listener(told);
      return;
    }
    const { resolve, reject } = waiting.get(told.id) ?? { resolve() {}, reject() {} };
    waiting.delete(told.id);
    if (told.error) reject(new Error(told.error));
    else resolve(told.ok);
  };
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error("the room closed the conversation"));
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no room at ${url}`));
  });
  return {
    ask: (method, data) => new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      socket.send(JSON.stringify({ id: lastId, method, data }));
    }),
    onEvent: (listener) => listeners.push(listener),
  };
}
