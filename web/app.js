// The frame around all pages: addresses, navigation, updates.

import { ApiError, get, takeToken } from "/assets/api.js";
import { h, morph } from "/assets/dom.js";
import { hideTip, refreshFigures } from "/assets/figure.js";
import { follow } from "/assets/live.js";
import * as campaigns from "/assets/page_campaigns.js";
import * as overview from "/assets/page_overview.js";
import * as designs from "/assets/page_designs.js";
import * as design from "/assets/page_design.js";
import * as tree from "/assets/page_tree.js";
import * as cost from "/assets/page_cost.js";
import * as strategies from "/assets/page_strategies.js";
import * as agents from "/assets/page_agents.js";
import * as literature from "/assets/page_literature.js";
import * as compare from "/assets/page_compare.js";

const sections = { "": overview, designs, tree, cost, strategies, agents, literature };
const names = [["", "Overview"], ["designs", "Designs"], ["tree", "Family tree"], ["cost", "Quality and cost"],
  ["strategies", "Strategies"], ["agents", "Agents"], ["literature", "Literature"]];

const minimum = 900; // milliseconds between two updates of a page

let connection = "connecting";
let current = null; // {page, context, data, error, loading, controller}

// Returns the page of an address: {page, key, id}.
function route(path) {
  const parts = path.split("/").filter(Boolean);
  if (!parts.length) return { page: campaigns };
  if (parts[0] === "compare" && parts.length === 1) return { page: compare };
  if (parts[0] !== "c" || parts.length < 2) return { page: null };
  const key = parts[1];
  if (parts[2] === "design" && /^[0-9]+$/.test(parts[3] || "") && parts.length === 4) return { page: design, key, id: Number(parts[3]) };
  const page = parts.length <= 3 ? sections[parts[2] || ""] : null;
  return { page, key, section: parts[2] || "" };
}

export function go(path, { replace = false, keepScroll = false } = {}) {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history[replace ? "replaceState" : "pushState"]({ scroll: 0 }, "", path);
  show(keepScroll ? null : 0);
}

// Shows the page of the current address. `scroll` is where to scroll when it is drawn; null: leave it.
async function show(scroll) {
  hideTip();
  const to = route(location.pathname);
  const same = current && current.page === to.page && current.context.key === to.key && current.context.id === to.id;
  if (current && current.controller) current.controller.abort();
  if (current && !same && current.page && current.page.leave) current.page.leave();
  const params = new URLSearchParams(location.search);
  const context = {
    key: to.key, id: to.id, section: to.section, params, go,
    base: to.key ? `/c/${to.key}` : "",
    set: (values, options) => {
      const next = new URLSearchParams(location.search);
      for (const [name, value] of Object.entries(values)) value === "" || value === null ? next.delete(name) : next.set(name, value);
      const text = next.toString();
      go(location.pathname + (text ? "?" + text : ""), { keepScroll: true, ...options });
    },
    redraw: () => draw(),
    reload: () => load(),
  };
  current = { page: to.page, context, data: same ? current.data : null, error: null, scroll };
  if (!to.page) current.error = new ApiError(404, { error: "No page has this address." });
  draw();
  if (to.page) await load();
}

// Loads the data of the page. With `update`, figures are drawn again, too.
async function load({ update = false } = {}) {
  const mine = current;
  if (mine.loading) {
    mine.again = true;
    return;
  }
  mine.loading = true;
  mine.again = false;
  mine.controller = new AbortController();
  const started = performance.now();
  try {
    const data = await mine.page.load(mine.context, (path) => get(path, mine.controller.signal));
    if (mine !== current) return;
    mine.data = data, mine.error = null;
  } catch (error) {
    if (mine !== current || error.name === "AbortError") return;
    mine.error = error;
    if (error.code === "loading") setTimeout(() => mine === current && load(), 300);
    else if (!(error instanceof ApiError)) connection = "lost";
  } finally {
    mine.loading = false;
  }
  draw();
  if (update) refreshFigures(document.getElementById("app"));
  if (mine.scroll !== null) scrollTo(0, mine.scroll), (mine.scroll = null);
  if (mine.again) setTimeout(() => mine === current && load({ update: true }), Math.max(0, minimum - (performance.now() - started)));
}

// ---- Drawing ----

function tabs(context) {
  return h("nav.tabs", { "aria-label": "pages of the campaign" }, names.map(([section, name]) => {
    const active = section === context.section || (section === "designs" && context.id);
    return h("a", { href: context.base + (section ? "/" + section : ""), "aria-current": active ? "page" : null }, name);
  }));
}

// On a narrow screen, the tab of a new page may be out of sight.
let tabShown = "";
function showTab(context) {
  const tab = document.querySelector(".tabs [aria-current]");
  if (!tab || tabShown === context.key + context.section) return;
  tabShown = context.key + context.section;
  const row = tab.parentNode;
  if (tab.offsetLeft < row.scrollLeft || tab.offsetLeft + tab.offsetWidth > row.scrollLeft + row.clientWidth)
    row.scrollLeft = tab.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

function frame(content) {
  const { context, page } = current;
  const lost = connection === "lost";
  return h("div.frame", null,
    h("header.bar", null,
      h("a.brand", { href: "/" }, "gabbro"),
      context.key ? h("span.where", null, "/ ", h("a", { href: context.base }, context.key),
        context.id ? [" / ", `#${context.id}`] : null) : page === compare ? h("span.where", null, "/ compare") : null,
      h("span.grow", null),
      h("span", { class: "connection " + connection, role: "status" },
        lost ? "Connection lost. Trying again." : connection === "connected" ? "Live" : "Connecting"),
      h("a.quiet", { href: "/compare" }, "Compare")),
    context.key ? tabs(context) : null,
    h("main", { id: "main" }, content));
}

function problem(error) {
  if (error.code === "loading") return h("p.soft.waiting", null, "The record is being read.");
  return h("section.problem", null, h("h1", null, error.status === 404 ? "Not found" : "This page cannot be shown"),
    h("p", null, error.message), error.hint ? h("p.soft", null, error.hint) : null, h("p", null, h("a", { href: "/" }, "All campaigns")));
}

function draw() {
  const { page, data, error, context } = current;
  let content;
  if (data) content = page.draw(data, context);
  else content = error ? problem(error) : h("p.soft.waiting", null, "Loading");
  const app = document.getElementById("app"), next = h("div", { id: "app" }, frame(content));
  morph(app, next);
  refreshFigures(document.getElementById("app"), { onlyNew: true });
  if (data && page.drawn) page.drawn(data, context);
  showTab(context);
  const title = page && data && page.title ? page.title(data, context) : context.key || "campaigns";
  document.title = `${title} · gabbro`;
}

// ---- Events ----

document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const to = new URL(link.href, location.href);
  if (to.origin !== location.origin || link.hasAttribute("download") || to.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(to.pathname + to.search);
});

// "/" goes to the search field, "g" and a letter to a page, as in many tools.
let prefix = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.nodeName)) return;
  const base = current.context.base;
  if (event.key === "/") {
    const field = document.querySelector("input[type=search]");
    if (field) event.preventDefault(), field.focus();
    else if (base) event.preventDefault(), go(base + "/designs");
  } else if (prefix) {
    const to = { a: "/", o: base, d: base + "/designs", t: base + "/tree", q: base + "/cost", s: base + "/strategies", n: base + "/agents", l: base + "/literature" }[event.key];
    if (to !== undefined && (base || to === "/")) go(to || "/");
    prefix = false;
  } else prefix = event.key === "g";
});

addEventListener("popstate", (event) => show((event.state && event.state.scroll) || 0));
history.scrollRestoration = "manual";

takeToken();
show(0);
follow(
  (changed) => {
    if (!current || !current.page) return;
    if (current.context.key ? changed.has(current.context.key) : true) load({ update: true });
  },
  (state) => {
    if (state === connection) return;
    const was = connection;
    connection = state;
    draw();
    if (was === "lost") load({ update: true });
  });
