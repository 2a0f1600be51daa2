// Formats numbers and times as the report does (src/campaign/format.cc).

const missing = "–";

export function amount(x) {
  if (x === null || x === undefined) return missing;
  const units = ["", "k", "M", "G", "T", "P", "E"];
  let unit = 0;
  while (Math.abs(x) >= 999.5 && unit + 1 < units.length) (x /= 1000), ++unit;
  return String(Number(x.toPrecision(3))) + units[unit];
}

export const count = (n) => (n === null || n === undefined ? missing : n.toLocaleString("en"));
export const bits = (x) => (x === null || x === undefined ? missing : x.toFixed(4));
export const signed = (x) => (x === null || x === undefined ? missing : (x < 0 ? "−" : "+") + Math.abs(x).toFixed(4));
export const percent = (x) => (x === null || x === undefined ? missing : Math.round(100 * x) + "\u00a0%");

export function duration(s) {
  if (s === null || s === undefined) return missing;
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 72 * 3600) return `${(s / 3600).toFixed(1)} h`;
  return `${(s / 86400).toFixed(1)} days`;
}

// The reader's own time zone; the report has UTC.
export function time(seconds) {
  if (!(seconds > 0)) return missing;
  const at = new Date(seconds * 1000), two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export function ago(seconds) {
  const s = Date.now() / 1000 - seconds;
  return s < 5 ? "now" : `${duration(s)} ago`;
}

export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
