// Keeps a part of the page as the server has it now, looking every so many seconds, until the server says that it is done.
// Without this script one reloads.
import { refresh } from "./refresh.js";

const part = document.querySelector("[data-follow]");
const follow = async () => {
  try { if (!document.hidden) await refresh(part); } catch { /* The server does not answer: it may be restarting. */ }
  begin();
};
const begin = () => { if ("follow" in part.dataset) setTimeout(follow, part.dataset.follow * 1000); };
if (part) begin();
