// All campaigns.

import { h } from "/assets/dom.js";
import { ago, bits, count, duration, signed } from "/assets/format.js";
import { most } from "/assets/page_compare.js";
import { compareLink, table } from "/assets/table.js";

const picked = new Set(); // campaigns to compare

export const title = () => "campaigns";
export const load = (context, get) => get("/api/campaigns");

export const stateMark = (state) => h("span", { class: "state " + state.replace(/[^a-z]/g, "-") }, state);

export function draw(data, context) {
  const all = data.campaigns;
  const running = all.filter((c) => c.state === "running" || c.state === "paused").length;
  const columns = [
    { title: "", class: "pick", cell: (c) => c.verdict_word ? h("input", { type: "checkbox", "aria-label": `compare campaign ${c.key}`, checked: picked.has(c.key), onchange: (e) => (e.target.checked ? picked.add(c.key) : picked.delete(c.key), context.redraw()) }) : null },
    { title: "campaign", cell: (c) => h("a.strong", { href: `/c/${c.key}` }, c.key), value: (c) => c.key },
    { title: "state", cell: (c) => stateMark(c.state), value: (c) => c.state },
    { title: "verdict", cell: (c) => c.error ? h("span.bad", null, c.error) : c.verdict_word ? h("span", { class: "verdict-word " + c.verdict_word.replace(/[^a-z]/g, "-"), title: c.verdict }, c.verdict_word) : "", value: (c) => c.verdict_word },
    { title: "designs", number: true, cell: (c) => count(c.designs), value: (c) => c.designs },
    { title: "runs", number: true, cell: (c) => count(c.runs), value: (c) => c.runs },
    { title: "highest rung", cell: (c) => c.leader_rung >= 0 ? `${c.rung} (${c.leader_rung + 1} of ${c.rungs})` : "–", value: (c) => c.leader_rung },
    { title: "best", number: true, cell: (c) => c.leader ? h("a", { href: `/c/${c.key}/design/${c.leader}` }, bits(c.best)) : "–", value: (c) => c.best },
    { title: "against baseline", number: true, cell: (c) => c.best && c.baseline ? signed(c.best - c.baseline) : "–", value: (c) => c.best && c.baseline ? c.best - c.baseline : null },
    { title: "worked", number: true, cell: (c) => duration(c.seconds), value: (c) => c.seconds },
    { title: "last event", number: true, cell: (c) => c.last ? ago(c.last) : "–", value: (c) => c.last },
    { title: "preset, corpus", cell: (c) => c.preset ? `${c.preset}, ${c.corpus}` : "", value: (c) => c.preset },
  ];
  const chosen = all.filter((c) => picked.has(c.key));
  return h("section", null,
    h("div.headline", null, h("h1", null, "Campaigns"),
      h("p.soft", null, `${count(all.length)} found, ${running} running`),
      compareLink(chosen.map((c) => "campaign=" + c.key), most)),
    table(columns, all, { id: "campaigns", hints: "campaigns", redraw: context.redraw, key: (c) => c.key,
      empty: "There is no campaign below this folder yet. `gabbro evolve` begins one, and it appears here." }));
}
