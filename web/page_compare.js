// Two or more designs or campaigns side by side.

import { ApiError, query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";
import { amount, bits, count, duration } from "/assets/format.js";
import { changesTable } from "/assets/page_design.js";

export const most = 6; // of designs, and of campaigns
export const title = () => "compare";

export async function load(context, get) {
  const unknown = []; // {kind, name, why}
  // Loads what has each of the names; those that the server does not know are left out, and said.
  const loadAll = async (kind, pattern, one) => {
    const names = [...new Set(context.params.getAll(kind))], found = [];
    const tried = await Promise.all(names.slice(0, most).map(async (name) => {
      if (!pattern.test(name)) return [name, null, "not a name"];
      try {
        return [name, await one(name), ""];
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        return [name, null, error.message];
      }
    }));
    for (const [name, data, why] of tried) data ? found.push(data) : unknown.push({ kind, name, why });
    return { found, more: Math.max(0, names.length - most) };
  };
  const [all, designs, campaigns] = await Promise.all([
    get("/api/campaigns"),
    loadAll("design", /^[A-Za-z0-9._-]+:[0-9]+$/, async (name) => {
      const [key, id] = name.split(":");
      return { ...(await get(`/api/c/${key}/design?id=${id}`)), address: name, key };
    }),
    loadAll("campaign", /^[A-Za-z0-9._-]+$/, (key) => get(`/api/c/${key}/overview`)),
  ]);
  const [first, ...others] = designs.found.map((d) => d.address);
  const diffs = await Promise.all(others.map((name) => get("/api/diff" + query({ a: first, b: name }))));
  return { all: all.campaigns, designs: designs.found, overviews: campaigns.found, diffs, unknown, more: { designs: designs.more, campaigns: campaigns.more } };
}

function without(context, name, value) {
  const next = new URLSearchParams(context.params);
  const left = next.getAll(name).filter((v) => v !== value);
  next.delete(name);
  for (const v of left) next.append(name, v);
  return "/compare?" + next;
}

// A table with one column for each thing that is compared.
function sideBySide(heads, rows) {
  return h("div.wide", null, h("table.side", null,
    h("thead", null, h("tr", null, h("th", null, ""), heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", null, rows.map(([name, cells]) => {
      const values = cells.map((c) => c?.value).filter((value) => value !== undefined);
      const best = new Set(values).size > 1 ? Math.min(...values) : null;
      return h("tr", null, h("th", { scope: "row" }, name), cells.map((c) => h("td", { class: c && c.value !== undefined && c.value === best ? "lowest" : null }, c && c.text !== undefined ? c.text : c)));
    }))));
}

function addForm(context, all) {
  // Most often, a further design is of the campaign of the last one.
  const newest = (context.params.getAll("design").at(-1) || "").split(":")[0];
  return h("form.row", { onsubmit: (event) => {
    event.preventDefault();
    const { campaign, design } = event.target.elements;
    const next = new URLSearchParams(context.params);
    if (design.value) next.append("design", `${campaign.value}:${design.value.replace(/\D/g, "")}`);
    else next.append("campaign", campaign.value);
    design.value = "";
    context.go("/compare?" + next, { keepScroll: true });
  } }, h("label", null, h("span", null, "Campaign"), h("select", { name: "campaign" }, all.map((c) => h("option", { value: c.key, selected: c.key === newest }, c.key)))),
    h("label", null, h("span", null, "Design"), h("input", { name: "design", inputmode: "numeric", pattern: "#?[0-9]*", placeholder: "id; empty: the campaign", autocomplete: "off" })),
    h("button", { type: "submit" }, "Add"));
}

// The curves of all that is compared, in one figure.
function overlay(head, kind, names, empty) {
  const path = "/api/curves?" + new URLSearchParams(names.map((name) => [kind, name]));
  return [h("h3", null, head), figure(path, { id: path, empty })];
}

function compareDesigns(context, data) {
  const d = data.designs, number = (x, text) => (x === null || x === undefined ? "–" : { value: x, text });
  const rungs = [...new Set(d.flatMap((x) => x.rungs.map((r) => r.name)))];
  const heads = d.map((x) => [h("a", { href: `/c/${x.key}/design/${x.id}` }, x.label), h("span.soft", null, ` ${x.key} `), h("a.quiet", { href: without(context, "design", x.address), "aria-label": `remove ${x.label}` }, "×")]);
  return [h("h2", null, "Designs"), sideBySide(heads, [
    ["status", d.map((x) => x.status)], ["source", d.map((x) => x.source)], ["made by", d.map((x) => x.maker)], ["mixes tokens by", d.map((x) => x.species)],
    ...rungs.map((name) => [`bits per byte at ${name}`, d.map((x) => { const r = x.rungs.find((y) => y.name === name); return r ? number(r.bits, bits(r.bits)) : "–"; })]),
    ["training FLOPs per token", d.map((x) => number(x.train, amount(x.train)))], ["decoding FLOPs per token", d.map((x) => number(x.decode, amount(x.decode)))],
    ["state of decoding", d.map((x) => number(x.state, amount(x.state) + "B"))], ["generation", d.map((x) => String(x.generation))], ["runs", d.map((x) => count(x.runs.length))],
  ]),
  data.diffs.map((diff) => diff.count ? [h("h3", null, `From ${diff.before} to ${diff.after}`), changesTable(diff.changes, diff.count)] : null),
  d.length > 1 ? d.slice(1).filter((x) => x.key === d[0].key).map((x) => figure(`/api/c/${x.key}/figure` + query({ name: "documents", design: x.id, against: d[0].id }), { id: `compare ${x.address} ${d[0].address}` })) : null,
  overlay("Training losses", "design", d.map((x) => x.address), "These designs have no score at a common rung.")];
}

function compareCampaigns(context, data) {
  const o = data.overviews;
  const heads = o.map((x) => [h("a", { href: `/c/${x.key}` }, x.key), " ", h("a.quiet", { href: without(context, "campaign", x.key), "aria-label": `remove ${x.key}` }, "×")]);
  const rungs = [...new Set(o.flatMap((x) => x.ladder.map((r) => r.name)))];
  return [h("h2", null, "Campaigns"), sideBySide(heads, [
    ["verdict", o.map((x) => x.verdict)], ["preset, corpus, seed", o.map((x) => `${x.preset}, ${x.corpus}, ${x.seed}`)],
    ["designs", o.map((x) => count(x.designs))], ["runs", o.map((x) => count(x.runs))], ["worked", o.map((x) => duration(x.seconds))], ["tokens", o.map((x) => amount(x.tokens))],
    ...rungs.map((name) => [`best at ${name}`, o.map((x) => { const r = x.ladder.find((y) => y.name === name); return r && r.best !== null ? [h("a", { href: `/c/${x.key}/design/${r.best_design}` }, bits(r.best)), h("span.soft", null, r.baseline_bits !== null ? ` baseline ${bits(r.baseline_bits)}` : "")] : "–"; })]),
  ]), h("p.soft", null, "Scores of different corpora or token budgets are not comparable."),
  overlay("Best scores over time", "campaign", o.map((x) => x.key), "No rung at which a candidate of each has a score.")];
}

// Says what the address names but the page does not show.
const leftOut = (context, data) => [
  data.unknown.map(({ kind, name, why }) => h("p.warning", null, `The ${kind} ${name} is left out: ${why}. `, h("a", { href: without(context, kind, name) }, "Remove it"))),
  Object.entries(data.more).map(([kind, more]) => more ? h("p.warning", null, `At most ${most} ${kind} are compared; the last ${more} of the ${most + more} in the address ${more === 1 ? "is" : "are"} left out.`) : null)];

export function draw(data, context) {
  return h("section", null, h("div.headline", null, h("h1", null, "Compare")), addForm(context, data.all), leftOut(context, data),
    data.designs.length ? compareDesigns(context, data) : null, data.overviews.length ? compareCampaigns(context, data) : null,
    !data.designs.length && !data.overviews.length ? h("p.soft", null, "Add designs or campaigns. Rows of the table of designs can be picked, too.") : null);
}
