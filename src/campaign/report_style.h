// The style sheets of the report and of its figures, and the report's script. Colours are variables, so that
// figures and text switch together between light, dark and print.
#pragma once

namespace gabbro::campaign {

/// The colours, and the classes of the marks of figures (campaign/svg.h). The report and the dashboard share
/// them.
inline constexpr const char* kFigureStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #fcfcfa; --ink: #1c2128; --secondary: #5b6570; --tertiary: #646e79; --border: #dfe3e6; --panel: #f3f4f2;
  --accent: #c2410c; --good: #15803d; --bad: #b91c1c; --base: #1f2937; --mark: #fff1d6;
  --c0: #2563a8; --c1: #0f8a7a; --c2: #8a5cc2; --c3: #b0851f; --c4: #c05a8e; --c5: #5f7f2a; --c6: #50627a; --c7: #8c5a3c;
  --r0: #440154; --r1: #453781; --r2: #2d6f8e; --r3: #1f958b; --r4: #55ad60; /* scores, the best first; readable by people who see red and green alike */
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --ink: #e8e6e1; --secondary: #a9b1ba; --tertiary: #8b95a1; --border: #2d333a; --panel: #1c2026;
    --accent: #ff8a4c; --good: #4ade80; --bad: #f87171; --base: #e5e7eb; --mark: #41331a;
    --c0: #6fb1f5; --c1: #4fd1bd; --c2: #bd9af0; --c3: #e3b955; --c4: #ee93c0; --c5: #a8cc6b; --c6: #9db1ca; --c7: #d19f7d;
    --r0: #fde725; --r1: #8fd744; --r2: #35b779; --r3: #26a08f; --r4: #4a7ba6;
  }
}
/* Boxes that scroll sideways have a shadow at an edge beyond which there is more; the page's colour covers it at the end. */
.wide, .drawing { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 12px, transparent) left / 36px 100% no-repeat local, linear-gradient(to left, var(--page) 12px, transparent) right / 36px 100% no-repeat local,
  linear-gradient(to right, var(--tertiary), transparent) left / 7px 100% no-repeat scroll, linear-gradient(to left, var(--tertiary), transparent) right / 7px 100% no-repeat scroll; }
svg { display: block; width: 100%; height: auto; font: 12px "Inter", system-ui, "Segoe UI", Arial, sans-serif; font-variant-numeric: tabular-nums; }
svg text { fill: var(--secondary); paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; } svg .tick { fill: var(--tertiary); } svg .label { fill: var(--ink); }
svg .strong { fill: var(--ink); font-weight: 600; font-size: 13px; } svg .axis-title { fill: var(--secondary); font-size: 12px; }
svg .grid { stroke: var(--border); stroke-width: 1; } svg .axis { stroke: var(--tertiary); stroke-width: 1; }
svg .zero { stroke: var(--ink); stroke-width: 1.2; } svg .threshold { stroke: var(--base); stroke-width: 1.3; stroke-dasharray: 5 4; }
svg .label-line { stroke: var(--border); stroke-width: 1; } svg .edge { fill: none; stroke: var(--tertiary); stroke-width: 0.6; opacity: 0.35; }
svg .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; } svg .front-line { fill: none; stroke: var(--accent); stroke-width: 1.2; opacity: 0.7; }
svg .winner { stroke: var(--accent); stroke-width: 3; } svg .runner-up { stroke: var(--accent); stroke-width: 1.6; stroke-dasharray: 5 3; opacity: 0.75; }
svg .text-winner { fill: var(--accent); font-weight: 700; } svg .text-runner-up { fill: var(--accent); }
svg .candidate { fill: var(--accent); opacity: 0.32; } svg .front { fill: var(--accent); stroke: var(--page); stroke-width: 1; }
svg .baseline { fill: var(--base); stroke: var(--page); stroke-width: 1.2; } svg .ring { fill: none; stroke: var(--accent); stroke-width: 2.4; }
svg .score0 { fill: var(--r0); } svg .score1 { fill: var(--r1); } svg .score2 { fill: var(--r2); } svg .score3 { fill: var(--r3); } svg .score4 { fill: var(--r4); } svg .no-score { fill: var(--tertiary); }
svg .done { fill: var(--c0); opacity: 0.85; } svg .running { fill: var(--c3); } svg .stopped { fill: var(--tertiary); opacity: 0.5; } svg .failed { fill: var(--bad); opacity: 0.8; }
svg .cell { fill: var(--panel); } svg .whisker { stroke-width: 2; } svg .whisker.better { stroke: var(--good); } svg .whisker.worse { stroke: var(--bad); } svg .whisker.inconclusive { stroke: var(--tertiary); }
svg .mark.better { fill: var(--good); } svg .mark.worse { fill: var(--bad); } svg .mark.inconclusive { fill: var(--tertiary); }
svg .bar { opacity: 0.75; }
svg .unbounded { stroke: var(--tertiary); stroke-dasharray: 2 5; stroke-width: 1.5; }
svg .line0 { stroke: var(--c0); } svg .line1 { stroke: var(--c1); } svg .line2 { stroke: var(--c2); } svg .line3 { stroke: var(--c3); }
svg .line4 { stroke: var(--c4); } svg .line5 { stroke: var(--c5); } svg .line6 { stroke: var(--c6); } svg .line7 { stroke: var(--c7); }
svg .text-line0 { fill: var(--c0); } svg .text-line1 { fill: var(--c1); } svg .text-line2 { fill: var(--c2); } svg .text-line3 { fill: var(--c3); }
svg .text-line4 { fill: var(--c4); } svg .text-line5 { fill: var(--c5); } svg .text-line6 { fill: var(--c6); } svg .text-line7 { fill: var(--c7); }
svg .strategy0 { stroke: var(--accent); stroke-width: 2.6; } svg .strategy1 { stroke: var(--c0); } svg .strategy2 { stroke: var(--c1); } svg .strategy3 { stroke: var(--c2); }
svg .text-strategy0 { fill: var(--accent); font-weight: 700; } svg .text-strategy1 { fill: var(--c0); } svg .text-strategy2 { fill: var(--c1); } svg .text-strategy3 { fill: var(--c2); }
)css";

/// The rest of the report's style.
inline constexpr const char* kReportStyle = R"css(
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.6 "Inter", system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 960px; margin: 0 auto; padding: 0 30px; }
header { padding-top: 56px; }
h1, h2, .verdict { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif Pro", Georgia, "DejaVu Serif", serif; font-weight: 600; letter-spacing: -0.01em; }
.kicker { color: var(--accent); font-size: 13px; font-weight: 600; letter-spacing: 0.09em; text-transform: uppercase; margin: 0; }
h1 { font-size: 37px; line-height: 1.15; margin: 6px 0 10px; }
.verdict { font-size: 21px; line-height: 1.45; font-weight: 400; margin: 18px 0 26px; padding-left: 18px; border-left: 4px solid var(--accent); }
h2 { font-size: 25px; margin: 52px 0 6px; }
h3 { font-size: 15px; margin: 26px 0 6px; }
p { margin: 8px 0; max-width: 46em; }
.soft, figcaption { color: var(--secondary); } p.soft { font-size: 14px; line-height: 1.5; max-width: 54em; }
dl.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; margin: 0; background: var(--border); border: 1px solid var(--border); border-radius: 8px; overflow: hidden; }
dl.facts div { background: var(--page); padding: 11px 14px; }
dl.facts dt { color: var(--secondary); font-size: 12.5px; }
dl.facts dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
dl.facts dd small { font-size: 13px; font-weight: 400; color: var(--secondary); }
figure { margin: 16px 0 0; break-inside: avoid; }
figcaption { font-size: 13.5px; line-height: 1.5; margin-top: 6px; max-width: 56em; }
table { border-collapse: collapse; width: 100%; margin: 12px 0; font-size: 14px; line-height: 1.4; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--secondary); font-weight: 500; font-size: 12.5px; border-bottom: 1.5px solid var(--tertiary); padding: 5px 12px 5px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--border); padding: 5px 12px 5px 0; vertical-align: top; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; text-align: inherit; cursor: pointer; } th[aria-sort=ascending] button::after { content: " ↑"; } th[aria-sort=descending] button::after { content: " ↓"; }
td.n, th.n { text-align: right; white-space: nowrap; } tr.own td { font-weight: 600; }
code, pre { font: 13px/1.55 "JetBrains Mono", ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--panel); border-radius: 8px; padding: 14px 0; overflow-x: auto; margin: 12px 0; }
pre span { display: block; padding: 0 18px; min-height: 1.55em; } pre span.new { background: var(--mark); box-shadow: inset 3px 0 var(--accent); }
ol.lineage { list-style: none; margin: 14px 0; padding: 0 0 0 6px; font-size: 14.5px; }
ol.lineage li { border-left: 2px solid var(--border); padding: 0 0 10px 20px; position: relative; break-inside: avoid; }
ol.lineage li::before { content: ""; position: absolute; left: -6px; top: 7px; width: 10px; height: 10px; border-radius: 5px; background: var(--tertiary); }
ol.lineage li.own::before { background: var(--accent); } ol.lineage li:last-child { border-left-color: transparent; }
ol.lineage .n { font-variant-numeric: tabular-nums; } .worse { color: var(--bad); } .better { color: var(--good); }
details { margin: 14px 0; } summary { cursor: pointer; color: var(--secondary); }
footer { color: var(--tertiary); font-size: 13px; padding-top: 40px; padding-bottom: 60px; }
@media (max-width: 640px) { header, main, footer { padding-left: 16px; padding-right: 16px; } h1 { font-size: 29px; } dl.facts { grid-template-columns: repeat(2, 1fr); } .verdict { font-size: 18px; } figure svg { min-width: 640px; } td:not(.n) { min-width: 7em; } }
@media print { body { font-size: 11pt; background: none; } header { padding-top: 0; } h2 { break-after: avoid; margin-top: 26px; } pre { white-space: pre-wrap; border: 1px solid var(--border); } .wide { overflow: visible; background: none; } tr { break-inside: avoid; } * { print-color-adjust: exact; } }
)css";

/// The report's script. It sorts tables, and has no characters that XML escapes.
inline constexpr const char* kReportScript = R"js(
// Tables sort by a click on a title; a second click reverses the order. Cells without a number come last.
const units = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };
const numberIn = (text) => {
  const found = /^([+-]?[0-9.]+) ?([kMGTP]?)/.exec(text);
  return found ? Number(found[1]) * (units[found[2]] || 1) : null;
};
const order = (a, b, numeric) => {
  if (!numeric) return a.localeCompare(b, "en", { numeric: true });
  const [x, y] = [numberIn(a), numberIn(b)];
  return x === null || y === null ? (x === null) - (y === null) : x - y;
};
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button"), numeric = head.classList.contains("n");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      const isMissing = (row) => (numeric ? numberIn(text(row)) === null : false);
      const rows = [...table.tBodies[0].rows].sort((a, b) => order(text(a), text(b), numeric));
      const found = rows.filter((row) => !isMissing(row));
      table.tBodies[0].append(...(descending ? found.reverse() : found), ...rows.filter(isMissing));
    });
  });
}
)js";

/// The hash by which the report's policy allows this script alone: after a change of the script, its SHA-256
/// in base64, which a browser's console names.
inline constexpr const char* kReportScriptHash = "sha256-ximKAb9vqvb5kHDzc5ydVhRojU6c4FWK0qlpMQCf0Uw=";

}  // namespace gabbro::campaign
