// The family tree, on a canvas: time goes right, one step for each generation. It zooms with the wheel or +
// and -, moves by dragging, and opens a design by a click. The arrow keys go from design to design, and Enter
// opens the one that is marked.

import { query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { hideTip, showTip } from "/assets/figure.js";
import { bits, count } from "/assets/format.js";

export const title = (data, context) => `family tree, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/tree` + query({ root: context.params.get("root"), limit: context.params.get("limit") }));

const [ID, PARENT, BITS, RUNG, SPECIES, SOURCE, GENERATION, LABEL, STATUS, ORIGIN, COLUMN, ROW] = [...Array(12).keys()];
const stepX = 120, stepY = 15;

let nodes = [], byId = new Map(), size = { width: 0, height: 0 };
let view = { x: 0, y: 0, scale: 1 }, fitted = "", signature = "", hovered = null;
let focused = 0; // id of the design that the arrow keys reached

// The server places the designs; those of one parent come in their order.
function place(data) {
  byId = new Map(data.rows.map((row) => [row[ID], { row, children: [], x: row[COLUMN] * stepX, y: row[ROW] * stepY }]));
  nodes = [...byId.values()];
  for (const node of nodes) byId.get(node.row[PARENT])?.children.push(node);
  for (const node of nodes) node.children.sort((a, b) => a.y - b.y);
  size = { width: (data.columns - 1) * stepX + 160, height: Math.max(1, data.lines) * stepY };
}

// ---- Colours, readable by people who see red and green alike ----

// Returns a colour between those of the style sheet, the best score first.
function rampColour(t, style) {
  const ramp = [0, 1, 2, 3, 4].map((k) => style.getPropertyValue(`--r${k}`).trim());
  const at = Math.max(0, Math.min(0.9999, t)) * (ramp.length - 1), k = Math.floor(at);
  return mix(ramp[k], ramp[k + 1], at - k);
}

const mix = (a, b, share) => `rgb(${[1, 3, 5].map((at) => {
  const [from, to] = [a, b].map((colour) => parseInt(colour.slice(at, at + 2), 16));
  return Math.round(from + share * (to - from));
}).join(" ")})`;

function colours(data, by) {
  const style = getComputedStyle(document.documentElement);
  const none = style.getPropertyValue("--tertiary").trim();
  const list = [...Array(8).keys()].map((k) => style.getPropertyValue(`--c${k}`).trim());
  if (by === "species" || by === "source") {
    const column = by === "species" ? SPECIES : SOURCE, words = by === "species" ? data.species : data.sources;
    const counts = new Map();
    for (const row of data.rows) counts.set(row[column], (counts.get(row[column]) || 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word);
    const colourOf = new Map(order.slice(0, list.length).map((word, k) => [word, list[k]]));
    return { of: (row) => colourOf.get(row[column]) || none, legend: [...colourOf].map(([word, colour]) => [words[word], colour]).concat(order.length > list.length ? [["others", none]] : []) };
  }
  const scores = data.rows.map((r) => r[BITS]).filter((b) => b !== null).sort((a, b) => a - b);
  const low = scores[0], high = scores[Math.floor(0.9 * (scores.length - 1))];
  return {
    of: (row) => (row[BITS] === null ? none : rampColour(high > low ? (row[BITS] - low) / (high - low) : 0, style)),
    legend: scores.length ? [[`${bits(low)} or less`, rampColour(0, style)], [bits((low + high) / 2), rampColour(0.5, style)], [`${bits(high)} or more`, rampColour(1, style)], ["no score", none]] : [],
  };
}

// ---- Drawing ----

function paint(data, context) {
  const canvas = document.getElementById("tree");
  if (!canvas || !canvas.clientWidth) return;
  const density = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * density)) canvas.width = Math.round(width * density);
  if (canvas.height !== Math.round(height * density)) canvas.height = Math.round(height * density);
  const g = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const variable = (name) => style.getPropertyValue(name).trim();
  const { of } = colours(data, context.params.get("colour") || "score");
  g.setTransform(density, 0, 0, density, 0, 0);
  g.clearRect(0, 0, width, height);
  const X = (node) => (node.x - view.x) * view.scale + 24, Y = (node) => (node.y - view.y) * view.scale + 20;
  const line = new Set();
  for (let node = byId.get(data.leader); node; node = byId.get(node.row[PARENT])) line.add(node);
  const curve = (a, b) => {
    const middle = (X(a) + X(b)) / 2;
    g.moveTo(X(a), Y(a));
    g.bezierCurveTo(middle, Y(a), middle, Y(b), X(b), Y(b));
  };
  const isVisible = (node) => X(node) > -stepX * view.scale && X(node) < width + stepX * view.scale;
  g.lineWidth = 1;
  g.strokeStyle = variable("--border");
  g.beginPath();
  for (const node of nodes) for (const child of node.children) if (!line.has(child) && isVisible(child) && !(Y(node) < -50 && Y(child) < -50) && !(Y(node) > height + 50 && Y(child) > height + 50)) curve(node, child);
  g.stroke();
  g.lineWidth = 2.2;
  g.strokeStyle = variable("--accent");
  g.beginPath();
  for (const node of line) for (const child of node.children) if (line.has(child)) curve(node, child);
  g.stroke();
  const radius = Math.max(1.8, Math.min(7, 4.2 * Math.sqrt(view.scale)));
  const texts = view.scale * stepY > 10.5;
  g.font = `${Math.min(13, Math.max(10, 11 * view.scale))}px system-ui, sans-serif`;
  g.textBaseline = "middle";
  for (const node of nodes) {
    const [x, y] = [X(node), Y(node)];
    if (x < -200 || x > width + 10 || y < -10 || y > height + 10) continue;
    g.fillStyle = of(node.row);
    g.beginPath();
    if (node.row[ORIGIN] === "baseline" || node.row[ORIGIN] === "control") g.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else g.arc(x, y, radius, 0, 2 * Math.PI);
    g.fill();
    const isFocused = node.row[ID] === focused;
    if (isFocused || node === hovered || node.row[ID] === data.leader || node.row[STATUS] === "vetoed") {
      g.strokeStyle = node.row[STATUS] === "vetoed" ? variable("--bad") : variable("--accent");
      g.lineWidth = isFocused ? 3.5 : 2;
      g.stroke();
    }
    if (!texts && node !== hovered && !isFocused) continue;
    // A label that would reach the next generation is drawn only where no child follows.
    const room = node.children.length ? (stepX * view.scale - 26) / 6.2 : 40;
    const label = node.row[LABEL];
    g.fillStyle = variable(line.has(node) ? "--ink" : "--secondary");
    g.fillText(label.length > room ? label.slice(0, Math.max(3, room - 1)) + "…" : label, x + radius + 4, y);
  }
}

function fit() {
  const canvas = document.getElementById("tree");
  if (!canvas) return;
  const across = (canvas.clientWidth - 40) / size.width, down = (canvas.clientHeight - 40) / size.height;
  view = { x: 0, y: 0, scale: Math.max(0.02, Math.min(1.4, Math.max(Math.min(across, down), Math.min(0.75, across)))) };
}

function zoom(factor, x, y) {
  const scale = Math.max(0.01, Math.min(6, view.scale * factor));
  view = { x: view.x + (x - 24) / view.scale - (x - 24) / scale, y: view.y + (y - 20) / view.scale - (y - 20) / scale, scale };
}

// Returns the design that an arrow key leads to: the parent, the best child, or the next one above or below in
// the same generation. The first key leads to the leader.
function neighbour(key, leader) {
  const now = byId.get(focused);
  if (!now) return byId.get(leader) || nodes[0];
  if (key === "ArrowLeft") return byId.get(now.row[PARENT]) || now;
  if (key === "ArrowRight") return now.children[0] || now;
  const sign = key === "ArrowUp" ? -1 : 1;
  let found = now;
  for (const node of nodes)
    if (node.x === now.x && sign * (node.y - now.y) > 0 && (found === now || sign * (found.y - node.y) > 0)) found = node;
  return found;
}

// Moves the view so that a design is in it.
function reveal(node, canvas) {
  const [x, y] = [(node.x - view.x) * view.scale + 24, (node.y - view.y) * view.scale + 20];
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (x < 20 || x > width - 120) view.x = node.x - (width / 2 - 24) / view.scale;
  if (y < 20 || y > height - 20) view.y = node.y - (height / 2 - 20) / view.scale;
}

function nodeAt(canvas, event) {
  const area = canvas.getBoundingClientRect();
  const x = (event.clientX - area.left - 24) / view.scale + view.x, y = (event.clientY - area.top - 20) / view.scale + view.y;
  let found = null, least = (9 / view.scale) ** 2;
  for (const node of nodes) {
    const distance = (node.x - x) ** 2 + (node.y - y) ** 2;
    if (distance < least) (least = distance), (found = node);
  }
  return found;
}

function listen(canvas, context, repaint) {
  const pointers = new Map();
  let moved = false;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const area = canvas.getBoundingClientRect();
    if (event.ctrlKey || !event.shiftKey) zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - area.left, event.clientY - area.top);
    else view.x += event.deltaY / view.scale;
    repaint();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = false;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      const node = nodeAt(canvas, event);
      canvas.style.cursor = node ? "pointer" : "grab";
      if (node) showTip(`${node.row[LABEL]}\n${node.row[BITS] === null ? node.row[STATUS] : bits(node.row[BITS]) + " at the first rung"}\n${listen.data().species[node.row[SPECIES]]}, ${listen.data().sources[node.row[SOURCE]]}`, event.clientX, event.clientY);
      else hideTip();
      if (node !== hovered) (hovered = node), repaint();
      return;
    }
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const distance = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      const area = canvas.getBoundingClientRect();
      zoom(distance([event.clientX, event.clientY]) / Math.max(1, distance(before)), (event.clientX + other[0]) / 2 - area.left, (event.clientY + other[1]) / 2 - area.top);
    } else (view.x -= dx / view.scale), (view.y -= dy / view.scale);
    if (Math.abs(dx) + Math.abs(dy) > 2) moved = true;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    hideTip();
    repaint();
  });
  const end = (event) => pointers.delete(event.pointerId);
  canvas.addEventListener("pointerup", (event) => {
    end(event);
    const node = !moved && nodeAt(canvas, event);
    if (node) hideTip(), context().go(`${context().base}/design/${node.row[ID]}`);
  });
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => ((hovered = null), hideTip(), repaint()));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] }[event.key];
    if (event.key === "Enter" && byId.has(focused)) return context().go(`${context().base}/design/${focused}`);
    if (move && !event.shiftKey) {
      const node = neighbour(event.key, listen.data().leader);
      if (!node) return;
      focused = node.row[ID];
      canvas.setAttribute("aria-label", `family tree; marked: ${node.row[LABEL]}, ${node.row[BITS] === null ? node.row[STATUS] : bits(node.row[BITS]) + " at the first rung"}`);
      reveal(node, canvas);
    } else if (move) (view.x += move[0] / view.scale), (view.y += move[1] / view.scale);
    else if (event.key === "+" || event.key === "=") zoom(1.25, canvas.clientWidth / 2, canvas.clientHeight / 2);
    else if (event.key === "-") zoom(0.8, canvas.clientWidth / 2, canvas.clientHeight / 2);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
    repaint();
  });
  new ResizeObserver(repaint).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

let latest = null;

export function drawn(data, context) {
  latest = { data, context };
  const name = `${context.key} ${context.params.get("root")} ${context.params.get("limit")}`;
  const next = name + JSON.stringify(data.rows.map((r) => [r[ID], r[BITS], r[STATUS]]));
  if (next !== signature) place(data), (signature = next);
  if (name !== fitted) fit(), (fitted = name);
  const canvas = document.getElementById("tree"), repaint = () => requestAnimationFrame(() => latest && paint(latest.data, latest.context));
  if (canvas && !canvas.listens) {
    canvas.listens = true;
    listen.data = () => latest.data;
    listen(canvas, () => latest.context, repaint);
  }
  repaint();
}

export function leave() {
  fitted = signature = "";
  focused = 0;
}

export function draw(data, context) {
  const colour = context.params.get("colour") || "score", root = context.params.get("root");
  const limit = Number(context.params.get("limit") || 1500);
  const choice = (value, label) => h("button", { type: "button", class: "choice", "aria-pressed": String(value === colour), onclick: () => context.set({ colour: value === "score" ? "" : value }, { replace: true }) }, label);
  const repaint = () => paint(data, context);
  const centre = () => { const c = document.getElementById("tree"); return [c.clientWidth / 2, c.clientHeight / 2]; };
  return h("section.tree-page", null,
    h("div.headline", null, h("h1", null, root ? `Descendants of #${root}` : "Family tree"),
      h("p.soft", null, `${count(data.rows.length)} of ${count(data.all)} designs${data.rows.length < data.all ? ": the best and their ancestors" : ""}`),
      root ? h("a.button", { href: context.base + "/tree" }, "All") : null),
    h("div.row.choices", null, h("span.soft", null, "colour by"), choice("score", "score"), choice("species", "species"), choice("source", "strategy"),
      h("span.grow"),
      h("button.small", { type: "button", "aria-label": "zoom in", onclick: () => (zoom(1.3, ...centre()), repaint()) }, "+"),
      h("button.small", { type: "button", "aria-label": "zoom out", onclick: () => (zoom(1 / 1.3, ...centre()), repaint()) }, "−"),
      h("button.small", { type: "button", onclick: () => (fit(), repaint()) }, "Fit"),
      data.rows.length < data.all && limit < 5000 ? h("button.small", { type: "button", onclick: () => context.set({ limit: 5000 }, { replace: true }) }, "More") : null),
    h("div.legend", null, colours(data, colour).legend.map(([name, c]) => h("span", null, h("i", { style: { background: c } }), name)), h("span.soft", null, "squares: baselines; line: the leader's lineage")),
    h("canvas", { id: "tree", key: "tree " + context.key, "data-keep": true, tabindex: "0", role: "img", "aria-label": "family tree; the table of designs lists the same designs" }),
    h("p.soft.for-screen", null, "Wheel or + and −: zoom. Drag: move. Click: open the design. Arrow keys and Enter do the same from design to design. The ", h("a", { href: context.base + "/designs" }, "table of designs"), " has the same designs as text."));
}
