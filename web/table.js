// Tables that sort by a click on a title.

import { h } from "/assets/dom.js";
import { hints } from "/assets/hints.js";

// A link to the comparison of the rows that were picked, or what it lacks.
export function compareLink(picked, most) {
  if (!picked.length) return null;
  if (picked.length === 1) return h("span.soft", null, "Pick another one to compare.");
  if (picked.length > most) return h("span.soft", null, `${picked.length} are picked; at most ${most} can be compared.`);
  return h("a.button", { href: "/compare?" + picked.join("&") }, `Compare ${picked.length}`);
}

// The order that the reader chose, by table.
const orders = new Map();

// Columns: {title, cell(row) -> text or element, value(row) -> what to sort by (none: not sortable),
// number}. Options: {id, hints (the table's name in campaign/remarks.h), key(row), redraw(), rowClass(row), empty, onSort(column), order}.
export function table(columns, rows, options = {}) {
  if (!rows.length && options.empty) return h("p.soft", null, options.empty);
  const chosen = options.order || orders.get(options.id);
  let shown = rows;
  if (chosen && !options.onSort) {
    const column = columns.find((c) => c.title === chosen.title);
    if (column) {
      const sign = chosen.descending ? -1 : 1;
      shown = [...rows].sort((a, b) => {
        const [x, y] = [column.value(a), column.value(b)];
        const [noX, noY] = [x === null || x === undefined, y === null || y === undefined];
        if (noX || noY) return noX - noY;
        return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
      });
    }
  }
  const sort = (column) => {
    if (options.onSort) return options.onSort(column);
    const before = orders.get(options.id);
    const descending = before && before.title === column.title ? !before.descending : false;
    orders.set(options.id, { title: column.title, descending });
    options.redraw();
  };
  const sortable = (c) => (options.redraw && c.value) || (options.onSort && c.sort);
  const title = (c) => {
    const active = chosen && (chosen.title === c.title || (c.sort && chosen.sort === c.sort));
    const direction = active ? (chosen.descending ? "descending" : "ascending") : null;
    return h("th", { class: [c.number && "n", c.class].filter(Boolean).join(" ") || null, scope: "col", "aria-sort": direction, title: hints[options.hints]?.[c.title] },
      sortable(c)
        ? h("button.sort", { type: "button", onclick: () => sort(c) }, c.title, h("span.arrow", null, direction ? (chosen.descending ? "↓" : "↑") : ""))
        : c.title);
  };
  return h("div.wide", null, h("table", { class: options.class },
    h("thead", null, h("tr", null, columns.map(title))),
    h("tbody", null, shown.map((row) =>
      h("tr", { key: options.key ? options.key(row) : null, class: options.rowClass ? options.rowClass(row) : null },
        columns.map((c) => h(c.number ? "td.n" : "td", { class: [c.number && "n", c.class].filter(Boolean).join(" ") || null }, c.cell(row))))))));
}
