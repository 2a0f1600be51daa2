// One campaign: verdict, ladder, best scores over time, what runs now, failures.

import { query } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { figure } from "/assets/figure.js";
import { ago, amount, bits, count, duration, percent, plural, time } from "/assets/format.js";
import { stateMark } from "/assets/page_campaigns.js";
import { controls } from "/assets/steering.js";
import { table } from "/assets/table.js";

export const title = (data, context) => context.key;

export async function load(context, get) {
  const base = `/api/c/${context.key}`;
  const [overview, live] = await Promise.all([get(base + "/overview"), get(base + "/live")]);
  return { overview, live };
}

const fact = (name, value, more) => h("div", null, h("dt", null, name), h("dd", null, value, more ? h("small", null, " ", more) : null));
export const designLink = (context, id, label) => h("a", { href: `${context.base}/design/${id}` }, label ?? `#${id}`);
const draws = (context, name, extra, options) =>
  figure(`/api/c/${context.key}/figure` + query({ name, ...extra }), { id: context.key + name + JSON.stringify(extra || {}), onDesign: (id) => context.go(`${context.base}/design/${id}`), ...options });

const judging = new Set(["final", "ablation", "check"]);
function phaseOf(live) {
  if (!live.live) return live.state;
  return !live.searches || live.runs.some((run) => judging.has(run.purpose)) ? "comparison" : "search";
}

function now(context, live) {
  if (live.state !== "running" && live.state !== "paused") return null;
  const runs = live.runs;
  return h("section", { key: "now" }, h("h2", null, "Now"),
    live.warning ? h("p.warning", null, live.warning) : null,
    live.cluster ? h("pre.text.cluster", null, live.cluster) : null,
    live.agents ? h("p.soft", null, "Agents: " + live.agents) : null,
    runs.length ? null : h("p.soft", null, live.state === "paused" ? "Paused; no run is in progress." : "No run is in progress."),
    h("div.runs", null, runs.map((run) => h("article.run", { key: "run " + run.id },
      h("div.run-head", null, designLink(context, run.design, run.label), h("span.soft", null, `${run.rung}, ${run.purpose}, seed ${run.seed}`)),
      h("progress", { max: "1", value: String(run.share || 0), "aria-label": `progress of run ${run.id}` }),
      h("div.soft.numbers", null, run.stage ? [run.stage, run.steps ? ` ${count(run.step)} of ${count(run.steps)}` : "", run.loss ? `, loss ${run.loss.toFixed(3)}` : "", run.tokens_per_second ? `, ${amount(run.tokens_per_second)} tokens/s` : ""] : `began ${ago(run.begun)}`),
      run.points > 1 ? figure(`/api/c/${context.key}/run?id=${run.id}`, { id: `${context.key} run ${run.id}` }) : null))),
    (live.profiling || []).length ? h("p.soft", null, "Capability tasks: ", live.profiling.map((p) => `${p.label} (${p.stage})`).join(", ")) : null);
}

function ladderTable(context, rows) {
  return table([
    { title: "rung", cell: (r) => r.name },
    { title: "parameters", number: true, cell: (r) => amount(r.params) },
    { title: "tokens", number: true, cell: (r) => amount(r.tokens) },
    { title: "rate", number: true, cell: (r) => String(r.rate) },
    { title: "promoted", number: true, cell: (r) => (r.promoted === null ? "" : percent(r.promoted)) },
    { title: "designs", number: true, cell: (r) => count(r.entered) },
    { title: "running", number: true, cell: (r) => count(r.running) },
    { title: "done", number: true, cell: (r) => count(r.done) },
    { title: "stopped", number: true, cell: (r) => count(r.stopped) },
    { title: "failed", number: true, cell: (r) => count(r.failed) },
    { title: "best", number: true, cell: (r) => (r.best_design ? designLink(context, r.best_design, bits(r.best)) : "–") },
    { title: "best baseline", number: true, cell: (r) => (r.baseline ? [designLink(context, r.baseline, bits(r.baseline_bits)), h("span.soft", null, " " + r.baseline_name)] : "–") },
    { title: "baselines and controls", cell: (r) => r.known },
  ], rows, { hints: "ladder" });
}

function standingsTable(context, data, remarks) {
  return [table([
    { title: "design", cell: (r) => designLink(context, r.id, r.label), value: (r) => r.label },
    { title: "mixes tokens by", cell: (r) => r.species, value: (r) => r.species },
    { title: "bits per byte", number: true, cell: (r) => bits(r.bits), value: (r) => r.bits },
    { title: "seeds", number: true, cell: (r) => r.seeds, value: (r) => r.seeds },
    { title: "gain of context", number: true, cell: (r) => r.context || "–", value: (r) => (r.context ? Number(r.context) : null) },
    { title: "parameters", number: true, cell: (r) => amount(r.params), value: (r) => r.params },
    { title: "tokens/s", number: true, cell: (r) => amount(r.speed), value: (r) => r.speed },
    { title: "train FLOPs", number: true, cell: (r) => amount(r.train), value: (r) => r.train },
    { title: "decode FLOPs", number: true, cell: (r) => amount(r.decode), value: (r) => r.decode },
    { title: "state", number: true, cell: (r) => amount(r.state) + "B", value: (r) => r.state },
    { title: "source", cell: (r) => r.source, value: (r) => r.source },
  ], data.rows, { id: "standings" + context.key, hints: "standings", redraw: context.redraw, key: (r) => "design " + r.id, rowClass: (r) => (r.leader ? "own" : r.known ? "known" : null), empty: remarks.no_standings }),
  data.rows.length ? h("p.soft", null, remarks.standings) : null,
  data.unscored.length ? h("p.soft", null, "Without a score there: ", data.unscored.map((u, k) => [k ? "; " : "", designLink(context, u.id, u.label), " (", u.why, ")"])) : null];
}

const causes = (rows, first, none) => table([
  { title: first, cell: (r) => r.what }, { title: "cause", cell: (r) => r.cause }, { title: "count", number: true, cell: (r) => count(r.count) },
], rows, { class: "compact", empty: none });

export function draw({ overview: o, live }, context) {
  const hours = o.throughput;
  const rungs = o.ladder.map((r, k) => [k, r.name]);
  const rung = context.params.get("rung") ?? String(Math.max(0, o.leader_rung));
  const rest = live.state !== "running" && live.state !== "paused";
  return h("section.overview", null,
    h("div.headline", null, h("h1", null, context.key), stateMark(live.state),
      h("p.soft", null, `${o.preset} on ${o.corpus}, seed ${o.seed}, begun ${time(o.begun)}`),
      h("a.button", { href: `/api/c/${context.key}/report.html`, download: `${context.key}.html` }, "Report")),
    h("p.verdict", null, o.verdict),
    o.sensitivity ? h("p.soft", null, o.sensitivity) : null,
    h("dl.facts", null,
      fact("designs", count(o.designs), plural(o.runs, "run")),
      fact("worked", duration(o.seconds), live.live ? live.left || (live.seconds_left !== null ? `${duration(live.seconds_left)} left` : null) : null),
      fact("phase", phaseOf(live)),
      fact("runs per hour", hours ? amount(hours.runs_per_hour) : "–", "last 15 minutes"),
      fact("tokens per second", hours ? amount(hours.tokens_per_second) : "–"),
      fact("workers", rest ? "–" : count(live.workers ?? live.runs.length), rest ? null : live.workers ? `${count(live.idle)} idle` : "busy"),
      fact("trained on", amount(o.tokens), "tokens"),
      fact("last event", ago(o.last))),
    rest ? h("p.soft", null, "Session: " + o.session) : null,
    now(context, live),
    o.aa_test ? null : [
      h("h2", null, "Best so far"),
      h("div.row.choices", null, h("span.soft", null, "at"), rungs.map(([k, name]) =>
        h("button", { type: "button", class: "choice", "aria-pressed": String(String(k) === rung), onclick: () => context.set({ rung: k }, { replace: true }) }, name))),
      draws(context, "progress", { rung }, { empty: "No design has a score at this rung yet." }),
      h("h2", null, "The ladder"),
      draws(context, "ladder", null, { empty: o.remarks.ladder }),
      ladderTable(context, o.ladder)],
    h("h2", null, `${o.aa_test ? "Copies" : "Best designs"} at ${o.standings.rung}`),
    standingsTable(context, o.standings, o.remarks),
    draws(context, "learning", null, {}),
    o.aa_test ? null : [
      h("h2", null, "The leader against the baselines"),
      draws(context, "forest", null, { empty: o.remarks.duels }),
      o.duels.length ? table([
        { title: "against", cell: (d) => designLink(context, d.id, d.name) }, { title: "difference", number: true, cell: (d) => d.difference },
        { title: "seeds", number: true, cell: (d) => d.seeds }, { title: "outcome", cell: (d) => d.word },
      ], o.duels, { class: "compact" }) : null,
      o.earlier.map((text) => h("p", null, text)),
      o.comparison_reason ? h("p.soft", null, o.comparison_reason) : null,
      draws(context, "parts", null, {}), o.advice ? h("p.soft", null, o.advice) : null,
      o.rates.length ? h("details", null, h("summary", null, "Learning rates"), table([
        { title: "design", cell: (r) => designLink(context, r.id, r.label) }, { title: "rates tried, with their bits per byte", cell: (r) => r.text }], o.rates, {})) : null],
    draws(context, "profiles", null, {}),
    h("h2", null, "Refusals and failures"),
    h("div.columns", null,
      h("div", null, h("h3", null, "Refused before training"), causes(o.refusals, "strategy", o.remarks.refusals)),
      h("div", null, h("h3", null, "Runs without a score"), causes(o.failures, "end", o.remarks.failures))),
    controls(context, { ...o, at_rest: rest }),
    o.steering.length ? h("details", null, h("summary", null, `Steering so far (${o.steering.length})`), table([
      { title: "time", cell: (s) => time(s.time) }, { title: "what", cell: (s) => s.what },
      { title: "design", cell: (s) => (s.design ? designLink(context, s.design) : "") }, { title: "text", cell: (s) => s.text }], o.steering, {})) : null,
    h("details", null, h("summary", null, "Settings"), h("pre", null, o.settings)));
}
