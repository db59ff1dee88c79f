// Shows changes by others as they happen. The stream says when to look again; hidden pages let it go, for a browser
// holds only few connections to one server.
import { refresh } from "./refresh.js";

const AGAIN_MS = 3000;
const part = document.querySelector("[data-live]");
let source = null;
let looking = false;
let due = false;

const look = async () => {
  due = true;
  if (looking) return;
  looking = true;
  while (due) {
    due = false;
    try { await refresh(part); } catch { /* The server does not answer; the stream is opened again when it does. */ }
  }
  looking = false;
};

const close = () => { source?.close(); source = null; };

const open = () => {
  if (source || document.hidden) return;
  const mine = new EventSource(part.dataset.live);
  source = mine;
  // A browser reconnects by itself after a lost connection, and not after an answer that is an error.
  const again = () => {
    if (source !== mine) return;
    close();
    setTimeout(async () => { await look(); open(); }, AGAIN_MS);
  };
  mine.onmessage = look;
  // While the connection was lost anything may have happened, the database replaced by a backup among it.
  let opened = false;
  mine.onopen = () => { if (opened) look(); opened = true; };
  mine.addEventListener("end", again);
  mine.onerror = () => { if (mine.readyState === EventSource.CLOSED) again(); };
};

if (part) {
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden) { close(); return; }
    await look();
    open();
  });
  addEventListener("pagehide", close);
  open();
}
