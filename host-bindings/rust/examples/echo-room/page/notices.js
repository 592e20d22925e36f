// Sentences for the visitor: notices above the room, one of each kind at a time, and a list of what happened.

const place = document.getElementById("notices");
const log = document.getElementById("log");
const shown = new Map();

// Shows a sentence, in place of the last one of this kind. `button` is { label, act }.
export function notice(kind, sentence, { tone = "", button = null, forMs = 0 } = {}) {
  const before = shown.get(kind);
  if (before?.sentence === sentence) return;
  clearTimeout(before?.timer);
  const element = document.createElement("div");
  element.className = `notice ${tone}`;
  element.dataset.kind = kind;
  const text = document.createElement("p");
  text.textContent = sentence;
  element.append(text);
  if (button) {
    const press = document.createElement("button");
    press.type = "button";
    press.className = "plain";
    press.textContent = button.label;
    press.addEventListener("click", button.act);
    element.append(press);
  }
  if (before) before.element.replaceWith(element);
  else place.append(element);
  const timer = forMs ? setTimeout(() => clear(kind), forMs) : null;
  shown.set(kind, { element, sentence, timer });
}

export function clear(kind) {
  const before = shown.get(kind);
  if (!before) return;
  clearTimeout(before.timer);
  before.element.remove();
  shown.delete(kind);
}

export function clearAll() {
  for (const kind of [...shown.keys()]) clear(kind);
}

// Newest first.
export function record(sentence) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  item.append(time, sentence);
  log.prepend(item);
  while (log.children.length > LINES_MAX) log.lastElementChild.remove();
}

const LINES_MAX = 100;
