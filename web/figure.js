// Figures that the server draws, with values under the pointer, zoom along the horizontal axis, and curves
// that can be hidden.

import { get, query } from "/assets/api.js";
import { h, image, svg } from "/assets/dom.js";
import { amount } from "/assets/format.js";

// Zooms and hidden curves by figure, so that they outlive updates.
const zooms = new Map(), hidden = new Map();

const scaleOf = (text) => {
  const [low, high, from, to, kind] = text.split(" ");
  const f = kind === "log" ? Math.log : (x) => x, g = kind === "log" ? Math.exp : (x) => x;
  const [a, b] = [f(+low), f(+high)];
  return {
    from: +from, to: +to,
    value: (at) => g(a + ((b - a) * (at - +from)) / (+to - +from)),
    at: (value) => +from + ((f(value) - a) / (b - a)) * (+to - +from),
  };
};

// Returns a placeholder that is filled with a figure. `path` is the address of its JSON without a zoom.
export function figure(path, options = {}) {
  const id = options.id || path;
  const box = h("figure", { key: "figure " + id, "data-keep": true, "data-path": path });
  // It is loaded once it is part of the page, since `morph` drops it where the page has it already.
  box.refresh = () => load(box, path, id, options);
  return box;
}

async function load(box, path, id, options) {
  if (box.loading) {
    box.again = true;
    return;
  }
  box.loading = true, box.again = false;
  try {
    await redraw(box, path, id, options);
  } finally {
    box.loading = false;
  }
  if (box.again && box.isConnected) load(box, path, id, options);
}

async function redraw(box, path, id, options) {
  const zoom = zooms.get(id);
  let data;
  try {
    data = await get(path + (zoom ? (path.includes("?") ? "&" : "?") + query(zoom).slice(1) : ""));
  } catch (error) {
    if (!box.firstChild) box.append(h("p.soft", null, "This figure cannot be drawn: " + error.message));
    return;
  }
  if (box.text === data.svg + data.caption) return;
  box.text = data.svg + data.caption;
  const picture = data.svg && image(data.svg);
  if (!picture) {
    box.replaceChildren(options.empty ? h("p.soft", null, options.empty) : "");
    return;
  }
  box.replaceChildren(h("div.drawing", { tabindex: "0" }, picture, zoomButton(box, id)),
    h("figcaption", null, data.caption));
  if (options.onDesign) openDesigns(picture, options.onDesign);
  hoverTexts(picture);
  if (picture.dataset.x) followPointer(box, picture, id);
}

function zoomButton(box, id) {
  if (!zooms.has(id)) return null;
  return h("button.small.zoom", { type: "button", onclick: () => (zooms.delete(id), box.refresh()) }, "Show all");
}

function openDesigns(picture, open) {
  for (const mark of picture.querySelectorAll("[data-design]")) {
    mark.classList.add("link");
    mark.setAttribute("tabindex", "0"), mark.setAttribute("role", "link");
    mark.addEventListener("click", (event) => open(mark.dataset.design, event));
    mark.addEventListener("keydown", (event) => event.key === "Enter" && open(mark.dataset.design, event));
  }
}

// Shows the title of a mark beside the pointer at once; browsers take a second, and not on touch screens.
let tip = null;
export function showTip(text, x, y) {
  if (!tip) document.body.append((tip = h("div.tip", { role: "tooltip" })));
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = Math.max(4, y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18) + "px";
}
export function hideTip() {
  if (tip) tip.hidden = true;
}
addEventListener("scroll", hideTip, { passive: true, capture: true });

function hoverTexts(picture) {
  for (const title of [...picture.querySelectorAll("title")]) {
    const mark = title.parentNode, text = title.textContent;
    title.remove();
    if (mark === picture) continue;
    mark.setAttribute("aria-label", text);
    mark.addEventListener("pointermove", (event) => showTip(text, event.clientX, event.clientY));
    mark.addEventListener("pointerleave", hideTip);
    if (!mark.dataset.design) continue;
    mark.addEventListener("focus", () => {
      const area = mark.getBoundingClientRect();
      showTip(text, area.right, area.bottom);
    });
    mark.addEventListener("blur", hideTip);
  }
}

const pointsOf = (line) => line.getAttribute("points").split(" ").map((p) => p.split(",").map(Number));

// Shows the values of all curves at the pointer, zooms by dragging, and hides curves by their names.
function followPointer(box, picture, id) {
  const x = scaleOf(picture.dataset.x), y = scaleOf(picture.dataset.y);
  const [, , width] = picture.getAttribute("viewBox").split(" ").map(Number);
  const lines = [...picture.querySelectorAll("polyline[data-name]")].map((line) => ({ line, points: pointsOf(line) }));
  const top = Math.min(y.from, y.to), bottom = Math.max(y.from, y.to);
  const cross = svg("line", { class: "cross", y1: top, y2: bottom }), band = svg("rect", { class: "band", y: top, height: bottom - top });
  const place = (event) => {
    const area = picture.getBoundingClientRect();
    return Math.max(x.from, Math.min(x.to, ((event.clientX - area.left) / area.width) * width));
  };
  let start = null, keyboard = null;
  const hiddenHere = hidden.get(id) || new Set();
  const show = (at, clientX, clientY) => {
    cross.setAttribute("x1", at), cross.setAttribute("x2", at);
    picture.append(cross);
    const rows = [];
    for (const { line, points } of lines) {
      if (hiddenHere.has(line.dataset.name) || !points.length || at < points[0][0] - 2 || at > points.at(-1)[0] + 2) continue;
      let k = points.findIndex((p) => p[0] >= at);
      if (k < 0) k = points.length - 1;
      const [a, b] = [points[Math.max(0, k - 1)], points[k]];
      const share = b[0] > a[0] ? Math.max(0, Math.min(1, (at - a[0]) / (b[0] - a[0]))) : 1;
      rows.push([y.value(a[1] + share * (b[1] - a[1])), line.dataset.name]);
    }
    rows.sort((a, b) => a[0] - b[0]);
    showTip([amount(x.value(at)), ...rows.map(([value, name]) => `${value.toFixed(4)}  ${name}`)].join("\n"), clientX, clientY);
  };
  picture.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (start !== null) {
      band.setAttribute("x", Math.min(start, at)), band.setAttribute("width", Math.abs(at - start));
      picture.append(band);
    }
    const area = picture.getBoundingClientRect();
    if (((event.clientX - area.left) / area.width) * width > x.to + 4 && start === null) return cross.remove(), hideTip();
    show(at, event.clientX, event.clientY);
  });
  picture.addEventListener("pointerleave", () => start === null && (cross.remove(), hideTip()));
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    const area = picture.getBoundingClientRect();
    if (((event.clientX - area.left) / area.width) * width > x.to) return;
    start = place(event);
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  picture.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const ends = [start, place(event)].sort((a, b) => a - b);
    start = null;
    band.remove();
    if (ends[1] - ends[0] < 8) return;
    zooms.set(id, { from: x.value(ends[0]), to: x.value(ends[1]) });
    box.refresh();
  });
  picture.addEventListener("dblclick", () => zooms.delete(id) && box.refresh());
  // The arrow keys move the line that the pointer would move.
  picture.parentNode.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hideTip(), cross.remove();
    const step = { ArrowLeft: -8, ArrowRight: 8 }[event.key];
    if (!step) return;
    event.preventDefault();
    keyboard = Math.max(x.from, Math.min(x.to, (keyboard ?? x.from) + step));
    const area = picture.getBoundingClientRect();
    show(keyboard, area.left + (keyboard / width) * area.width, area.top + 20);
  });
  for (const { line } of lines) {
    const label = [...picture.querySelectorAll("text")].find((t) => t.textContent === line.dataset.name);
    const toggle = () => {
      const name = line.dataset.name, off = hiddenHere.has(name);
      line.classList.toggle("off", off);
      if (label) label.classList.toggle("off", off);
    };
    toggle();
    if (!label) continue;
    label.classList.add("link");
    label.setAttribute("tabindex", "0"), label.setAttribute("role", "button");
    label.setAttribute("aria-label", "show or hide " + line.dataset.name);
    const change = () => {
      hiddenHere.has(line.dataset.name) ? hiddenHere.delete(line.dataset.name) : hiddenHere.add(line.dataset.name);
      hidden.set(id, hiddenHere);
      toggle();
    };
    label.addEventListener("click", change);
    label.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") event.preventDefault(), change();
    });
  }
}

// Redraws the figures within an element, which `morph` leaves alone: all, or those that are new.
export function refreshFigures(element, { onlyNew = false } = {}) {
  for (const box of element.querySelectorAll("figure[data-keep]"))
    if (box.refresh && !(onlyNew && (box.text !== undefined || box.loading))) box.refresh();
}
