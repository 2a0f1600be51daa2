// Quality against cost.

import { query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";

export const title = (data, context) => `quality and cost, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/designs?limit=1`);

const costs = [["decode", "decoding FLOPs"], ["train", "training FLOPs"], ["state", "decoding state"]];

export function draw(data, context) {
  const cost = context.params.get("cost") || "decode", rung = context.params.get("rung") || "";
  const choice = (name, value, label, chosen) => h("button", { type: "button", class: "choice", "aria-pressed": String(value === chosen), onclick: () => context.set({ [name]: value }, { replace: true }) }, label);
  return h("section", null,
    h("div.headline", null, h("h1", null, "Quality and cost")),
    h("div.row.choices", null, h("span.soft", null, "bits per byte at"), choice("rung", "", "the leader's rung", rung), data.rungs.map((name, k) => choice("rung", String(k), name, rung)),
      h("span.soft", null, "against"), costs.map(([value, label]) => choice("cost", value, label, cost))),
    figure(`/api/c/${context.key}/figure` + query({ name: "cost", cost, rung }), { id: `${context.key} cost ${cost} ${rung}`, empty: "No design has a score at this rung yet.", onDesign: (id) => context.go(`${context.base}/design/${id}`) }),
    h("p.soft", null, "A mark opens its design."),
    h("h2", null, "By generation"),
    figure(`/api/c/${context.key}/figure?name=generations`, { id: `${context.key} generations`, empty: "No candidate has a score yet.", onDesign: (id) => context.go(`${context.base}/design/${id}`) }));
}
