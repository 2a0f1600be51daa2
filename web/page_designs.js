// The table of all designs, with filters. The server filters, sorts and pages.

import { query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { amount, bits, count } from "/assets/format.js";
import { most } from "/assets/page_compare.js";
import { compareLink, table } from "/assets/table.js";

const page = 100;
const filters = ["q", "unit", "source", "origin", "status", "rung", "sort", "order", "offset"];

export const title = (data, context) => `designs, ${context.key}`;
export const load = (context, get) =>
  get(`/api/c/${context.key}/designs` + query({ ...Object.fromEntries(filters.map((f) => [f, context.params.get(f)])), limit: page }));

const picks = new Map(); // by campaign: the designs to compare

function select(context, name, label, values, texts = values) {
  const chosen = context.params.get(name) || "";
  return h("label", null, h("span", null, label),
    h("select", { name, value: chosen, onchange: (e) => context.set({ [name]: e.target.value, offset: "" }, { replace: true }) },
      h("option", { value: "", selected: chosen === "" }, "any"),
      values.map((v, k) => h("option", { value: v, selected: String(v) === chosen }, texts[k]))));
}

let timer = null;
function field(context, name, label, hint, type = "search") {
  return h("label", { class: "field" }, h("span", null, label), h("input", {
    type, name, placeholder: hint, value: context.params.get(name) || "", autocomplete: "off", spellcheck: "false",
    oninput: (event) => {
      const value = event.target.value;
      clearTimeout(timer);
      timer = setTimeout(() => context.set({ [name]: value, offset: "" }, { replace: true }), 180);
    } }));
}

export function draw(data, context) {
  const offset = Number(context.params.get("offset") || 0), sort = context.params.get("sort") || "bits";
  const descending = context.params.get("order") === "down";
  const link = (id, label) => h("a", { href: `${context.base}/design/${id}` }, label);
  if (!picks.has(context.key)) picks.set(context.key, new Set());
  const picked = picks.get(context.key);
  const columns = [
    { title: "", class: "pick", cell: (d) => h("input", { type: "checkbox", "aria-label": `compare design ${d.id}`, checked: picked.has(d.id), onchange: (e) => (e.target.checked ? picked.add(d.id) : picked.delete(d.id), context.redraw()) }) },
    { title: "#", sort: "id", number: true, cell: (d) => link(d.id, String(d.id)) },
    { title: "design", sort: "label", cell: (d) => link(d.id, d.label) },
    { title: "name", sort: "name", class: "name", cell: (d) => d.title },
    { title: "status", sort: "status", cell: (d) => h("span", { class: "status " + d.status }, d.status) },
    { title: "rung", sort: "rung", cell: (d) => d.rung || "–" },
    { title: "bits per byte", sort: "bits", number: true, cell: (d) => bits(d.bits) },
    { title: "first rung", sort: "first", number: true, cell: (d) => bits(d.first) },
    { title: "mixes tokens by", cell: (d) => d.species },
    { title: "source", cell: (d) => d.source },
    { title: "parent", number: true, cell: (d) => (d.parent ? link(d.parent, `#${d.parent}`) : "–") },
    { title: "gen.", sort: "generation", number: true, cell: (d) => d.generation },
    { title: "train", sort: "train", number: true, cell: (d) => amount(d.train) },
    { title: "decode", sort: "decode", number: true, cell: (d) => amount(d.decode) },
    { title: "state", sort: "state", number: true, cell: (d) => amount(d.state) },
  ];
  const order = (column) => context.set({ sort: column.sort === "bits" ? "" : column.sort, order: column.sort === sort && !descending ? "down" : "", offset: "" }, { replace: true });
  const last = Math.min(offset + page, data.matches);
  const chosen = [...picked];
  return h("section", null,
    h("div.headline", null, h("h1", null, "Designs"),
      h("p.soft", null, data.matches === data.all ? count(data.all) : `${count(data.matches)} of ${count(data.all)}`,
        data.with_units < data.all ? `; units of ${count(data.with_units)} are indexed so far` : ""),
      compareLink(chosen.map((id) => `design=${context.key}:${id}`), most)),
    h("form.filters", { role: "search", onsubmit: (e) => e.preventDefault() },
      field(context, "q", "Search", "name, unit, operator, #id"),
      field(context, "unit", "Unit", "exact name, such as Mamba2"),
      select(context, "status", "Status", data.statuses),
      select(context, "origin", "Origin", data.origins),
      select(context, "source", "Strategy", data.sources),
      select(context, "rung", "Entered", data.rungs.map((_, k) => String(k)), data.rungs),
      h("button.quiet", { type: "button", onclick: () => context.go(location.pathname, { replace: true, keepScroll: true }) }, "Clear")),
    table(columns, data.rows, { class: "dense", hints: "designs", key: (d) => "design " + d.id, onSort: order, order: { sort, descending },
      rowClass: (d) => (d.id === data.leader ? "own" : d.origin === "baseline" || d.origin === "control" ? "known" : null), empty: "No design matches." }),
    data.matches > page ? h("nav.pages", { "aria-label": "pages of the table" },
      h("button", { type: "button", disabled: offset === 0, onclick: () => context.set({ offset: Math.max(0, offset - page) || "" }) }, "Previous"),
      h("span.soft", null, `${count(offset + 1)} to ${count(last)} of ${count(data.matches)}`),
      h("button", { type: "button", disabled: last >= data.matches, onclick: () => context.set({ offset: offset + page }) }, "Next")) : null);
}
