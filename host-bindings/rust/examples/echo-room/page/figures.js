// The worker's own figures, a small chart each, of the last minute.

import { numberText } from "./stats.js";

const MEGA = 1024 * 1024;

const CHARTS = [
  { title: "CPU, of one core", unit: "%", digits: 1, of: (worker) => worker.cpuPercent, leastMax: 2 },
  { title: "Resident memory", unit: "MB", digits: 1, of: (worker) => bytes(worker.residentBytes), leastMax: 8 },
  { title: "Packet memory", unit: "MB", digits: 2, of: (worker) => bytes(worker.packetMemoryBytes), leastMax: 0.5 },
  {
    title: "Packets a second", unit: "", digits: 0, leastMax: 100,
    of: (worker) => worker.receivedPerSecond, second: (worker) => worker.sentPerSecond, names: ["in", "out"],
  },
  { title: "GSO run length", unit: "a call", digits: 1, of: (worker) => worker.gsoRunLength, leastMax: 4 },
  { title: "Forwarding delay", unit: "ms", digits: 2, of: (worker) => worker.forwardDelayMs, leastMax: 1 },
];

const bytes = (count) => (count === null ? null : count / MEGA);

export class Panel {
  #line;
  #charts;

  constructor(line, place) {
    this.#line = line;
    this.#charts = CHARTS.map((description) => new Chart(description));
    place.append(...this.#charts.map(({ element }) => element));
  }

  // `figures` of the server, once a second.
  show({ worker, rooms, visitors }) {
    const house = `${plural(rooms, "room")}, ${plural(visitors, "visitor")}`;
    this.#line.textContent = worker
      ? `Process ${worker.pid}: ${house}, ${plural(worker.transports, "transport")}, `
        + `${plural(worker.producers, "track")} in, ${plural(worker.consumers, "track")} out`
      : "There is no worker at the moment.";
    this.#line.dataset.pid = worker?.pid ?? "";
    for (const chart of this.#charts) chart.push(worker);
  }

  // Where a worker died, charts show it.
  mark() {
    for (const chart of this.#charts) chart.mark();
  }
}

class Chart {
  element = document.createElement("div");
  #description;
  #output = document.createElement("output");
  #svg = document.createElementNS(SVG, "svg");
  #lines;
  #deaths = document.createElementNS(SVG, "path");
  // { values: [first, second], death }
  #samples = [];

  constructor(description) {
    this.#description = description;
    this.element.className = "chart";
    const title = document.createElement("h3");
    title.textContent = description.title;
    this.#lines = (description.second ? ["first", "second"] : ["first"]).map((name) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", name);
      return line;
    });
    this.#deaths.setAttribute("class", "death");
    this.#svg.setAttribute("viewBox", `0 0 ${SAMPLES - 1} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    this.#svg.append(...this.#lines, this.#deaths);
    this.element.append(title, this.#output, this.#svg);
    this.#output.textContent = "–";
  }

  push(worker) {
    const { of, second } = this.#description;
    const values = [of, second].filter(Boolean).map((read) => (worker ? read(worker) ?? null : null));
    this.#samples.push({ values, death: false });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#write(values);
    this.#draw();
  }

  mark() {
    const last = this.#samples.at(-1);
    if (last) last.death = true;
    this.#draw();
  }

  #write(values) {
    const { unit, digits, names } = this.#description;
    this.#output.replaceChildren();
    values.forEach((value, index) => {
      const small = document.createElement("small");
      small.textContent = names ? ` ${names[index]} ` : ` ${unit}`;
      if (names) small.className = `${["first", "second"][index]}-name`;
      this.#output.append(numberText(value, value >= 100 ? 0 : digits, ""), small);
    });
  }

  #draw() {
    const { title, unit, leastMax, digits } = this.#description;
    const known = this.#samples.flatMap(({ values }) => values).filter((value) => value !== null);
    const most = Math.max(leastMax, ...known);
    const offset = SAMPLES - this.#samples.length;
    this.#lines.forEach((line, which) => {
      let path = "";
      let pen = "M";
      this.#samples.forEach(({ values }, index) => {
        const value = values[which];
        if (value === null) {
          pen = "M";
          return;
        }
        path += `${pen}${offset + index} ${(HEIGHT - (value / most) * HEIGHT).toFixed(2)}`;
        pen = "L";
      });
      line.setAttribute("d", path);
    });
    const deaths = this.#samples.map(({ death }, index) => (death ? `M${offset + index} 0V${HEIGHT}` : ""));
    this.#deaths.setAttribute("d", deaths.join(""));
    this.#svg.setAttribute("aria-label", `${title} over the last minute: at most ${numberText(known.length ? Math.max(...known) : null, digits, ` ${unit}`)}`);
  }
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const SVG = "http://www.w3.org/2000/svg";
const SAMPLES = 60;
const HEIGHT = 20;
