// Strategies and operators.

import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";
import { amount, bits, count, percent } from "/assets/format.js";
import { table } from "/assets/table.js";

export const title = (data, context) => `strategies, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/strategies`);

export function draw(data, context) {
  const share = (o) => (o.offspring ? o.better / o.offspring : null);
  return h("section", null,
    h("div.headline", null, h("h1", null, "Strategies at equal budget")),
    figure(`/api/c/${context.key}/figure?name=strategies`, { id: `${context.key} strategies`, empty: "No candidate has a score yet." }),
    table([
      { title: "strategy", cell: (s) => h("a", { href: `${context.base}/designs?source=${encodeURIComponent(s.name)}` }, s.name), value: (s) => s.name },
      { title: "designs", number: true, cell: (s) => count(s.designs), value: (s) => s.designs },
      { title: "refused draws", number: true, cell: (s) => count(s.refused), value: (s) => s.refused },
      { title: "FLOPs at the first rung", number: true, cell: (s) => amount(s.flops), value: (s) => s.flops },
      ...data.rungs.map((name, k) => ({ title: `best at ${name}`, number: true, value: (s) => s.best[k] && s.best[k].bits,
        cell: (s) => (s.best[k] ? h("a", { href: `${context.base}/design/${s.best[k].id}` }, bits(s.best[k].bits)) : "–") })),
    ], data.strategies, { id: "strategies" + context.key, redraw: context.redraw, key: (s) => s.name, empty: "This campaign has no strategies." }),
    h("h2", null, "Operators"),
    table([
      { title: "strategy", cell: (o) => o.strategy, value: (o) => o.strategy },
      { title: "operator", cell: (o) => h("a", { href: `${context.base}/designs?q=${encodeURIComponent(o.operator.replace(/ by agents$/, ""))}` }, o.operator), value: (o) => o.operator },
      { title: "offspring", number: true, cell: (o) => count(o.offspring), value: (o) => o.offspring },
      { title: "better than their parent", number: true, cell: (o) => count(o.better), value: (o) => o.better },
      { title: "share", number: true, value: share, cell: (o) => [h("meter", { min: "0", max: "1", value: String(share(o) || 0), "aria-label": "share" }), " ", percent(share(o))] },
    ], data.operators, { id: "operators" + context.key, redraw: context.redraw, key: (o) => o.strategy + o.operator, empty: "No offspring has an outcome yet." }),
    h("p.soft", null, data.remark));
}
