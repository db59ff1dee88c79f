// Keeps a part of the page as the server has it now, until the server says that it is done. Without this script one reloads.
import { refresh } from "./refresh.js";

const EVERY_MS = 1000;
const part = document.querySelector("[data-follow]");
const follow = async () => {
  try { if (!document.hidden) await refresh(part); } catch { /* The server does not answer: it may be restarting. */ }
  if ("follow" in part.dataset) setTimeout(follow, EVERY_MS);
};
if (part) setTimeout(follow, EVERY_MS);
