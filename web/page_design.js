// One design.

import { get as request, query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";
import { amount, bits, count, duration, signed, time } from "/assets/format.js";
import { designControls } from "/assets/steering.js";
import { table } from "/assets/table.js";

export const title = (data, context) => `#${context.id}, ${context.key}`;

const units = new Map(), conversations = new Map(); // by campaign and design; they do not change

export async function load(context, get) {
  const data = await get(`/api/c/${context.key}/design?id=${context.id}`);
  const name = `${context.key} ${context.id}`;
  // Units take longer than the rest, so the page is drawn without them first.
  const rungs = data.rungs.map((r) => r.name).join();
  if (!units.has(name) || units.get(name).rungs !== rungs)
    request(`/api/c/${context.key}/units?id=${context.id}`).then((found) => (units.set(name, { ...found, rungs }), context.redraw()), () => {});
  return data;
}

export const programView = (lines) => h("pre.program", null, h("code", null, lines.map((line) =>
  h("span", { class: line.new ? "line new" : "line" }, line.spans.map(([kind, text]) => (kind ? h("span", { class: "t-" + kind }, text) : text))))));

export const changesTable = (changes, total) => [table([
  { title: "where", cell: (c) => c.where },
  { title: "before", cell: (c) => h("code.removed", null, c.before) },
  { title: "now", cell: (c) => h("code.added", null, c.after) }], changes, { class: "changes" }),
  total > changes.length ? h("p.soft", null, `The first ${changes.length} of ${total} changes.`) : null];

function unitTree(found) {
  if (!found) return h("p.soft", null, "The units are being measured.");
  return [found.errors.map((e) => h("p.bad", null, e)),
    found.rows.length ? table([
      { title: `unit, ${found.where}`, cell: (u) => h("span.unit", { style: { paddingLeft: `${1.1 * u.depth}em` } }, u.count > 1 ? h("span.soft", null, `${u.count} × `) : null, u.unit, u.hypers ? h("span.soft", null, ` ${u.hypers}`) : null) },
      { title: "parameters", number: true, cell: (u) => amount(u.params) }], found.rows, { class: "dense" }) : null];
}

const factsTable = (found) => found && table([
  { title: "fact", cell: (f) => f.name }, { title: "value", cell: (f) => f.value },
  { title: "formula (width D, vocabulary V, context T)", cell: (f) => (f.formula ? h("code", null, f.formula) : "") }], found.facts, {});

function copyButton(text) {
  return h("button.small", { type: "button", onclick: async (event) => {
    const button = event.target;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  } }, "Copy");
}

function conversation(context) {
  const name = `${context.key} ${context.id}`, found = conversations.get(name);
  return h("details", { ontoggle: (event) => {
    if (!event.target.open || conversations.has(name)) return;
    conversations.set(name, { text: "Loading" });
    request(`/api/c/${context.key}/conversation?id=${context.id}`)
      .then((r) => conversations.set(name, r), (e) => conversations.set(name, { text: e.message }))
      .then(context.redraw);
  } }, h("summary", null, "Conversation of the agents"), found ? h("pre.conversation", null, found.text) : null, found && found.cut ? h("p.soft", null, "The rest is omitted; `gabbro show RUN#ID --talk` prints all of it.") : null);
}

// The documents on which a design differs most from another one, once the reader asks for them.
const documents = new Map();
function documentTexts(context, d, rung, against) {
  const path = `/api/c/${context.key}/documents` + query({ id: d.id, against: against.id, rung, runs: d.runs.length }); // further runs change the answer
  const found = documents.get(path), rows = found?.wins && [...found.wins, ...[...found.losses].reverse()];
  const load = (event) => {
    if (!event.target.open || documents.has(path)) return;
    documents.set(path, { waits: true });
    request(path).then((r) => documents.set(path, r), (e) => documents.set(path, { error: e.message })).then(context.redraw);
  };
  return h("details", { key: path, ontoggle: load }, h("summary", null, `Documents on which it differs most from ${against.label}`),
    !found || found.waits ? h("p.soft", null, "Loading") : found.error ? h("p.soft", null, found.error) : [
      table([
        { title: "document", number: true, cell: (r) => count(r.document) },
        { title: "difference", number: true, cell: (r) => h("span", { class: r.difference < 0 ? "better" : "worse" }, signed(r.difference)) },
        { title: "bytes", number: true, cell: (r) => count(r.bytes) },
        { title: "begins", class: "excerpt", cell: (r) => r.text ?? "" }], rows, { class: "dense", empty: "There is no difference." }),
      found.problem ? h("p.soft", null, `The texts cannot be shown: ${found.problem}.`) : null]);
}

export function draw(d, context) {
  const name = `${context.key} ${context.id}`, found = units.get(name);
  const link = (id, label) => h("a", { href: `${context.base}/design/${id}` }, label ?? `#${id}`);
  const draws = (figureName, extra, options) => figure(`/api/c/${context.key}/figure` + query({ name: figureName, design: d.id, ...extra }), { id: `${name} ${figureName} ${JSON.stringify(extra)}`, onDesign: (id) => context.go(`${context.base}/design/${id}`), ...options });
  const rung = context.params.get("rung") ?? (d.rungs.length ? String(d.rungs[0].rung) : "");
  const best = d.rungs[0];
  return h("section.design", null,
    h("div.headline", null, h("h1", null, d.label), h("span", { class: "status " + d.status }, d.status), d.leader ? h("span.state.leader", null, "leader") : null,
      h("a.button", { href: `/compare?design=${context.key}:${d.id}` + (d.parent ? `&design=${context.key}:${d.parent}` : "") }, d.parent ? "Compare with parent" : "Compare")),
    d.title !== d.name ? h("p", null, d.title) : null,
    h("p.soft", null, [...new Set([d.name, d.origin === "search" && !d.maker.endsWith(` by ${d.source}`) ? `${d.maker} by ${d.source}` : d.maker])].join(", "), `, created ${time(d.time)}`,
      d.parent ? ["; parent ", link(d.parent, d.parent_label)] : null, d.second_parent ? [" with ", link(d.second_parent, d.second_label)] : null,
      "; ", h("a", { href: `${context.base}/tree?root=${d.id}` }, "descendants"), d.description && d.description !== d.maker ? `; ${d.description}` : ""),
    h("dl.facts", null,
      h("div", null, h("dt", null, best ? `bits per byte at ${best.name}` : "bits per byte"), h("dd", null, best ? bits(best.bits) : "–")),
      h("div", null, h("dt", null, "mixes tokens by"), h("dd", null, d.species)),
      h("div", null, h("dt", null, "training"), h("dd", null, amount(d.train), h("small", null, " FLOPs per token"))),
      h("div", null, h("dt", null, "decoding"), h("dd", null, amount(d.decode), h("small", null, ` FLOPs, ${amount(d.state)}B of state`)))),
    d.standing ? h("pre.text", null, d.standing) : null,
    d.promotions.map((p) => h("p.soft", null, p)),
    d.rungs.length ? [h("h2", null, "Curves and documents"),
      h("div.row.choices", null, h("span.soft", null, "at"), d.rungs.map((r) => h("button", { type: "button", class: "choice", "aria-pressed": String(String(r.rung) === rung), onclick: () => context.set({ rung: r.rung }, { replace: true }) }, r.name))),
      draws("design", { rung }, { empty: "There is no curve at this rung." }),
      (d.rungs.find((r) => String(r.rung) === rung)?.opponents || []).map((against) => [draws("documents", { rung, against: against.id }, {}), documentTexts(context, d, rung, against)])] : null,
    h("h2", null, "Program"),
    programView(d.program),
    d.parent ? [h("p.soft", null, d.changes_count ? d.changes_remark : "Its program equals its parent's."), d.changes.length ? changesTable(d.changes, d.changes_count) : null] : null,
    h("div.columns", null,
      h("div", null, h("h2", null, "Units"), unitTree(found)),
      h("div", null, h("h2", null, "Facts"), factsTable(found), h("p.soft", null, "Hash ", h("code", null, d.hash)))),
    d.parts.length ? [h("h2", null, "Its parts, one at a time"), table([
      { title: "without", cell: (p) => link(p.id, p.what) }, { title: "bits per byte lost", number: true, cell: (p) => p.loss }, { title: "effect", cell: (p) => p.word }], d.parts, {})] : null,
    d.profile ? h("p", null, "Capabilities before any text: ", d.profile) : null,
    h("h2", null, "Runs"),
    table([
      { title: "run", number: true, cell: (r) => r.id }, { title: "rung", cell: (r) => r.rung }, { title: "seed", number: true, cell: (r) => r.seed },
      { title: "purpose", cell: (r) => r.purpose }, { title: "rate", number: true, cell: (r) => (r.rate === null ? "" : Number(r.rate.toPrecision(3))) },
      { title: "status", cell: (r) => h("span", { class: "status " + r.status }, r.status) }, { title: "bits per byte", number: true, cell: (r) => bits(r.bits) },
      { title: "interval", number: true, cell: (r) => (r.low === null ? "" : `${bits(r.low)} to ${bits(r.high)}`) }, { title: "loss", number: true, cell: (r) => (r.loss === null ? "" : r.loss.toFixed(3)) },
      { title: "parameters", number: true, cell: (r) => (r.params === null ? "" : count(r.params)) }, { title: "tokens/s", number: true, cell: (r) => (r.speed === null ? "" : amount(r.speed)) },
      { title: "time", number: true, cell: (r) => (r.seconds ? duration(r.seconds) : "") }, { title: "cause", cell: (r) => r.cause }],
    d.runs, { class: "dense", key: (r) => "run " + r.id, empty: "No run yet." }),
    h("div.columns", null,
      h("div", null, h("h2", null, "Lineage"), h("ol.lineage", null, d.lineage.rows.map((i, k) => h("li", { class: k === 0 ? "own" : null }, link(i.id, i.label), i.second ? [" with ", link(i.second)] : null,
        i.bits !== null ? h("span.n", null, ` · ${bits(i.bits)}`) : null, i.difference !== null ? h("span", { class: i.difference < 0 ? "n better" : "n worse" }, ` ${signed(i.difference)}`) : null,
        h("br"), h("span.soft", null, `${i.species}, ${i.maker}`)))), d.lineage.more ? h("p.soft", null, `and ${d.lineage.more} earlier ones`) : h("p.soft", null, d.lineage.remark)),
      h("div", null, h("h2", null, `Children (${count(d.children.count)})`), d.children.rows.length ? h("ul.plain", null, d.children.rows.map((c) => h("li", null, link(c.id, c.label), c.first !== null ? h("span.soft.n", null, ` ${bits(c.first)}`) : null))) : h("p.soft", null, "None."))),
    d.task ? [h("h2", null, "How agents made it"), h("pre.text", null, d.task), conversation(context)] : null,
    h("h2", null, "Commands"),
    h("ul.plain.commands", null, d.commands.map((c) => h("li", null, h("span.soft", null, c.what), h("code", null, c.text), copyButton(c.text)))),
    d.may_be_vetoed ? [h("h2", null, "Steering"), designControls(context, d)] : null);
}
