// Keeps a part of the page as the server has it now, until the server says that it is done. Without this script one reloads.
const EVERY_MS = 1000;
const part = document.querySelector("[data-follow]");

const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  // The session has ended, or the page is gone: show what the server has to say about it.
  if (answer.redirected || answer.status === 403 || answer.status === 404) { location.reload(); return; }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  if (!("follow" in fresh.dataset)) delete part.dataset.follow;
};

const follow = async () => {
  try { await look(); } catch { /* The server does not answer: it may be restarting. */ }
  if ("follow" in part.dataset) setTimeout(follow, EVERY_MS);
};
if (part) setTimeout(follow, EVERY_MS);
