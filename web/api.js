// Requests to the server.

export class ApiError extends Error {
  constructor(status, body) {
    super(body.error || `the server answered ${status}`);
    this.status = status;
    this.code = body.code || "";
    this.hint = body.hint || "";
  }
}

async function answer(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = { error: `the server answered ${response.status} without JSON` };
  }
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

export async function get(path, signal) {
  return answer(await fetch(path, { signal, headers: { Accept: "application/json" } }));
}

export function query(values) {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(values))
    if (value !== "" && value !== null && value !== undefined) out.set(key, value);
  const text = out.toString();
  return text ? "?" + text : "";
}

// ---- Steering ----

// The token stays in this tab: it arrives after the # of an address, which no server and no log sees.
const name = "gabbro-token";
export function takeToken() {
  const found = /[#&]token=([0-9a-f]{32})/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(name, found[1]);
  history.replaceState(history.state, "", location.pathname + location.search);
}
export const token = () => sessionStorage.getItem(name) || "";
export const setToken = (text) => sessionStorage.setItem(name, text.trim());
const authorization = () => ({ Authorization: "Bearer " + token() });

export async function tokenIsValid() {
  if (!token()) return false;
  return (await answer(await fetch("/api/token", { headers: authorization() }))).valid;
}

export async function steer(campaign, request) {
  return answer(await fetch(`/api/c/${campaign}/steer`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization() },
    body: JSON.stringify(request),
  }));
}
