// The literature that agents were given.

import { h } from "/assets/dom.js";
import { count, plural } from "/assets/format.js";
import { table } from "/assets/table.js";

export const title = (data, context) => `literature, ${context.key}`;
export const load = (context, get) => get(`/api/c/${context.key}/literature`);

export function draw(data, context) {
  const link = (id) => h("a", { href: `${context.base}/design/${id}` }, `#${id}`);
  return h("section", null,
    h("div.headline", null, h("h1", null, "Literature"), h("p.soft", null, "Papers that agents of the latest hundred tasks were given.")),
    table([
      { title: "paper", cell: (p) => h("details", null, h("summary", null, p.title), h("p.soft", null, p.authors, p.id ? ` · ${p.id}` : ""), h("p", null, p.excerpt)), value: (p) => p.title },
      { title: "given", number: true, cell: (p) => count(p.uses), value: (p) => p.uses },
      { title: "designs of these tasks", cell: (p) => p.designs.map((id, k) => [k ? ", " : "", link(id)]), value: (p) => p.designs.length },
    ], data.papers, { id: "papers" + context.key, redraw: context.redraw, key: (p) => p.id || p.title, empty: data.tasks ? "Agents looked nothing up." : "No agents work on this campaign, so no literature was used." }),
    data.queries.length ? [h("h2", null, "Queries"), table([
      { title: "task", number: true, cell: (q) => q.task }, { title: "query", cell: (q) => q.query }, { title: "found", number: true, cell: (q) => q.found },
      { title: "design", cell: (q) => (q.design ? link(q.design) : "") }], data.queries, { class: "dense" })] : null,
    data.nearest ? h("p.soft", null, `Reviewers were also given the papers nearest to each of ${plural(data.nearest, "proposal")}.`) : null);
}
