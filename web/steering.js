// The controls that steer a campaign. They need the token that `gabbro serve` printed.

import { setToken, steer, token, tokenIsValid } from "/assets/api.js";
import { h } from "/assets/dom.js";

let message = "", failed = false, asks = false, pending = null;

async function send(context, request) {
  if (!token()) {
    asks = true, pending = request;
    context.redraw();
    return;
  }
  try {
    message = (await steer(context.key, request)).text;
    failed = false;
  } catch (error) {
    message = error.message + (error.hint ? `: ${error.hint}` : "");
    failed = true;
    if (error.status === 401) asks = true, pending = request;
  }
  context.redraw();
}

function tokenForm(context) {
  return h("form.token", { onsubmit: async (event) => {
    event.preventDefault();
    setToken(event.target.elements.token.value);
    if (!(await tokenIsValid().catch(() => false))) {
      message = "This is not the token that the server printed when it started.", failed = true;
      return context.redraw();
    }
    asks = false, message = "";
    if (pending) await send(context, pending);
    pending = null;
    context.redraw();
  } },
    h("label", { for: "token" }, "Steering needs the token that `gabbro serve` printed when it started."),
    h("div.row", null, h("input", { id: "token", name: "token", type: "password", autocomplete: "off", required: true, placeholder: "token" }),
      h("button", { type: "submit" }, "Use it"), h("button.quiet", { type: "button", onclick: () => ((asks = false), (pending = null), context.redraw()) }, "Cancel")));
}

const result = () => message ? h("p", { class: failed ? "message bad" : "message good", role: "status" }, message) : null;

export function controls(context, data) {
  const directions = data.directions || [];
  return h("section.panel", null, h("h2", null, "Steering"),
    h("div.row", null,
      data.paused
        ? h("button", { type: "button", onclick: () => send(context, { what: "resume" }) }, "End the pause")
        : h("button", { type: "button", onclick: () => send(context, { what: "pause" }) }, "Pause"),
      h("span.soft", null, data.paused ? "Paused: no run starts." : "A pause starts no new runs or model calls; runs in progress finish.")),
    data.has_agents ? h("form", { onsubmit: (event) => {
      event.preventDefault();
      const field = event.target.elements.text;
      send(context, { what: "direction", text: field.value }).then(() => !failed && !asks && (field.value = ""));
    } },
      h("label", { for: "direction" }, "Direction for the agents"),
      h("div.row", null, h("input.wide-field", { id: "direction", name: "text", maxlength: "2000", required: true, autocomplete: "off", placeholder: "try shorter windows in the first layers" }),
        h("button", { type: "submit" }, "Give"),
        directions.length ? h("button.quiet", { type: "button", onclick: () => send(context, { what: "forget" }) }, "Forget all") : null)) : null,
    directions.length ? h("ol.directions", null, directions.map((d) => h("li", null, d))) : null,
    asks ? tokenForm(context) : null, result(),
    data.at_rest ? h("p.soft", null, "The server starts no process. To continue the campaign: ", h("code", null, `gabbro resume ${data.dir}`)) : null);
}

export function designControls(context, design) {
  return h("div.veto", null,
    design.may_be_promoted ? h("form.row", { onsubmit: (event) => {
      event.preventDefault();
      send(context, { what: "promote", design: design.id, text: event.target.elements.reason.value });
    } }, h("input", { name: "reason", "aria-label": "reason of the promotion", placeholder: "reason", maxlength: "1000", autocomplete: "off" }),
      h("button", { type: "submit" }, `Train it at ${design.may_be_promoted}`), h("span.soft", null, "By hand: the run decides nothing.")) : null,
    design.status === "vetoed" ? h("span.soft", null, "Vetoed: excluded from promotion, breeding and the final comparison.")
      : h("form.row", { onsubmit: (event) => {
        event.preventDefault();
        send(context, { what: "veto", design: design.id, text: event.target.elements.reason.value });
      } }, h("input", { name: "reason", "aria-label": "reason of the veto", placeholder: "reason", maxlength: "1000", autocomplete: "off" }), h("button", { type: "submit" }, "Veto this design")),
    asks ? tokenForm(context) : null, result());
}
