// Makes and updates elements. All text is set as text: nothing that a campaign recorded becomes HTML.

const svgSpace = "http://www.w3.org/2000/svg";

// Makes an element: h("a.name", {href, onclick}, ...children). Children are elements, texts, lists of these,
// or nothing (null, undefined, false).
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element[key] = value;
    else if (key === "key") element.dataset.key = value;
    else if (key === "style") Object.assign(element.style, value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

const handlers = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "ontoggle"];

// Changes `old` into `next` where they differ, so that the reader keeps focus, selection and scroll position.
// Elements with a data-key are matched by it. An element with data-keep is left as it is.
export function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName ||
      (old.dataset && old.dataset.key !== next.dataset.key)) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") && next.hasAttribute("data-keep")) return;
  for (const { name } of [...old.attributes])
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of [...next.attributes])
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const name of handlers) old[name] = next[name];
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(old.nodeName) && old !== document.activeElement && old.value !== next.value)
    old.value = next.value;
  morphChildren(old, next);
}

function morphChildren(old, next) {
  const keyed = new Map();
  for (const child of old.childNodes) if (child.dataset && child.dataset.key) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    const key = child.dataset && child.dataset.key;
    if (key && keyed.has(key) && keyed.get(key) !== at) old.insertBefore(keyed.get(key), at), (at = keyed.get(key));
    if (!at) {
      old.append(child);
      continue;
    }
    const following = at.nextSibling;
    if (key !== undefined && key !== (at.dataset && at.dataset.key) && !keyed.has(key)) {
      old.insertBefore(child, at);
      continue;
    }
    morph(at, child);
    at = following;
  }
  while (at) {
    const following = at.nextSibling;
    at.remove();
    at = following;
  }
}

// Makes an image from the text of an SVG that the server drew. Only the elements and attributes that figures
// have are taken over.
const drawn = new Set(["svg", "line", "polyline", "rect", "circle", "path", "text", "title", "g"]);
const described = new Set(["viewBox", "role", "aria-label", "class", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r",
  "d", "points", "width", "height", "text-anchor", "data-name", "data-x", "data-y", "data-design"]);
export function image(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const copy = (from) => {
    const element = document.createElementNS(svgSpace, from.localName);
    for (const { name, value } of from.attributes) if (described.has(name)) element.setAttribute(name, value);
    for (const child of from.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) element.append(child.nodeValue);
      else if (child.nodeType === Node.ELEMENT_NODE && drawn.has(child.localName)) element.append(copy(child));
    }
    return element;
  };
  return parsed.localName === "svg" ? copy(parsed) : null;
}

export function svg(tag, attributes) {
  const element = document.createElementNS(svgSpace, tag);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  return element;
}
