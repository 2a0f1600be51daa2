// Quality against cost.

import { query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";

export const title = (data, context) => `quality and cost, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/designs?limit=1`);

const costs = [["decode", "decoding FLOPs"], ["train", "training FLOPs"], ["state", "decoding state"]];

export function draw(data, context) {
  // Axes are named as the server names them: a cost, or "bits" with the number of a rung.
  const quantities = [...data.rungs.map((name, k) => ["bits" + k, `bits per byte at ${name}`]), ...costs];
  const x = context.params.get("x") || "decode", y = context.params.get("y") || "";
  const axis = (name, value, first) => h("select", { name, "aria-label": name === "x" ? "horizontal axis" : "vertical axis", onchange: (event) => context.set({ [name]: event.target.value }, { replace: true }) },
    first, quantities.map(([k, label]) => h("option", { value: k, selected: k === value }, label)));
  return h("section", null,
    h("div.headline", null, h("h1", null, "Quality and cost")),
    h("div.row.choices", null, axis("y", y, h("option", { value: "", selected: y === "" }, "bits per byte at the leader's rung")), h("span.soft", null, "against"), axis("x", x, null)),
    figure(`/api/c/${context.key}/figure` + query({ name: "plane", x, y }), { id: `${context.key} plane ${x} ${y}`, empty: "No design has both values yet.", onDesign: (id) => context.go(`${context.base}/design/${id}`) }),
    h("p.soft", null, "A mark opens its design."),
    h("h2", null, "By generation"),
    figure(`/api/c/${context.key}/figure?name=generations`, { id: `${context.key} generations`, empty: "No candidate has a score yet.", onDesign: (id) => context.go(`${context.base}/design/${id}`) }));
}
