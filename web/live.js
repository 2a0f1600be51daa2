// Learns of changes by server-sent events, and says when the connection is lost. A hidden tab keeps no
// connection, since a browser opens only six to one server.

const quiet = 12000; // milliseconds without a message after which the connection counts as lost
const retry = 2000;

export function follow(onChange, onState) {
  let source = null, last = Date.now(), timer = null, versions = null;
  const say = (state) => onState(state);
  const open = () => {
    close();
    source = new EventSource("/api/events");
    source.onmessage = (message) => {
      last = Date.now();
      say("connected");
      const next = JSON.parse(message.data).campaigns;
      // The first message tells what the page has just loaded.
      const before = versions || next;
      versions = next;
      const changed = new Set();
      for (const key of new Set([...Object.keys(next), ...Object.keys(before)]))
        if (next[key] !== before[key]) changed.add(key);
      if (changed.size) onChange(changed);
    };
    source.onerror = () => say("lost");
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  const watch = () => {
    if (document.hidden) return;
    if (!source || source.readyState === EventSource.CLOSED || Date.now() - last > quiet) {
      if (Date.now() - last > quiet) say("lost");
      open();
    }
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else (last = Date.now()), open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
  timer = setInterval(watch, retry);
  return () => (clearInterval(timer), close());
}
