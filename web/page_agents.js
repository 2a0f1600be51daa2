// What agents did: tasks, promises against outcomes, reviewers, cost.

import { h } from "/assets/dom.js";
import { amount, count, duration, percent, plural, signed } from "/assets/format.js";
import { table } from "/assets/table.js";

const page = 100;
export const title = (data, context) => `agents, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/agents?offset=${Number(context.params.get("offset") || 0)}`);

const money = (x) => (x === null ? "–" : x.toFixed(4));

const costTable = (rows, first, context) => table([
  { title: first, cell: (r) => r.name, value: (r) => r.name },
  { title: "calls", number: true, cell: (r) => count(r.calls), value: (r) => r.calls },
  { title: "failed", number: true, cell: (r) => count(r.failed), value: (r) => r.failed },
  { title: "tokens in", number: true, cell: (r) => amount(r.input), value: (r) => r.input },
  { title: "cached", number: true, cell: (r) => amount(r.cached), value: (r) => r.cached },
  { title: "out", number: true, cell: (r) => amount(r.output), value: (r) => r.output },
  { title: "cost", number: true, cell: (r) => money(r.cost), value: (r) => r.cost },
], rows, { id: `cost by ${first} ${context.key}`, redraw: context.redraw, key: (r) => r.name, empty: "No call was recorded." });

function outcome(t) {
  if (!t.design) return t.outcome;
  if (t.better === undefined) return "no outcome yet";
  return h("span", { class: t.better ? "better" : "worse" }, t.better ? "better than its parent" : "not better", t.difference !== null ? ` (${signed(t.difference)})` : "");
}

function detail(t) {
  return h("details", null, h("summary", null, t.title || t.outcome),
    t.proposal ? h("p", null, t.proposal) : null, t.detail ? h("p.soft", null, t.detail) : null,
    t.promises.map((p) => h("p", { class: p.kept ? "good" : "bad" }, `${p.kept ? "kept" : "broken"}: ${p.property}, promised ${p.said}, found ${p.found}`)),
    t.reviews.map((r) => h("p.soft", null, `${r.model}: ${r.rating} of 5, ${percent(r.probability)} to beat its parent. ${r.text}`)));
}

export function draw(data, context) {
  if (!data.count) return h("section", null, h("div.headline", null, h("h1", null, "Agents")), h("p.soft", null, "No agents work on this campaign. `gabbro evolve --agents agents.toml` lets language models propose designs."));
  const offset = Number(context.params.get("offset") || 0);
  return h("section", null,
    h("div.headline", null, h("h1", null, "Agents"), h("p.soft", null, plural(data.count, "task"))),
    h("div.columns", null,
      h("div", null, h("h2", null, "Outcomes of tasks"), table([{ title: "outcome", cell: (o) => o.outcome }, { title: "count", number: true, cell: (o) => count(o.count) }], data.outcomes, {})),
      h("div", null, h("h2", null, "Reviewers"), table([
        { title: "model", cell: (r) => r.model }, { title: "scored", number: true, cell: (r) => r.scored },
        { title: "Brier", number: true, cell: (r) => (r.brier === null ? "–" : r.brier.toFixed(3)) },
        { title: "by chance", number: true, cell: (r) => (r.chance === null ? "–" : r.chance.toFixed(3)) },
        { title: "weight", number: true, cell: (r) => r.weight.toFixed(2) }], data.reviewers, { hints: "reviewers", empty: "No review has an outcome yet." }))),
    h("h2", null, "Cost"),
    h("div.columns", null, h("div", null, costTable(data.by_role, "role", context)), h("div", null, costTable(data.by_model, "model", context))),
    h("h2", null, "Tasks"),
    table([
      { title: "task", number: true, cell: (t) => t.id },
      { title: "proposal", class: "proposal", cell: detail },
      { title: "mode", cell: (t) => t.mode },
      { title: "design", cell: (t) => (t.design ? h("a", { href: `${context.base}/design/${t.design}` }, t.label) : t.outcome) },
      { title: "promises", number: true, cell: (t) => (t.promises.length ? `${t.kept} of ${t.promises.length}` : "–") },
      { title: "predicted", number: true, cell: (t) => (t.reviews.length ? percent(t.reviews.reduce((s, r) => s + r.probability, 0) / t.reviews.length) : "–") },
      { title: "outcome", cell: outcome },
      { title: "calls", number: true, cell: (t) => count(t.calls) }, { title: "tokens", number: true, cell: (t) => amount(t.tokens) },
      { title: "cost", number: true, cell: (t) => money(t.cost) }, { title: "time", number: true, cell: (t) => (t.seconds ? duration(t.seconds) : "") },
    ], data.tasks, { class: "dense", hints: "tasks", key: (t) => "task " + t.id }),
    data.count > page ? h("nav.pages", null,
      h("button", { type: "button", disabled: offset === 0, onclick: () => context.set({ offset: Math.max(0, offset - page) || "" }) }, "Later"),
      h("span.soft", null, `${count(offset + 1)} to ${count(Math.min(offset + page, data.count))} of ${count(data.count)}, the latest first`),
      h("button", { type: "button", disabled: offset + page >= data.count, onclick: () => context.set({ offset: offset + page }) }, "Earlier")) : null);
}
