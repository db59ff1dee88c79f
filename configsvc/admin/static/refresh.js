// Brings a part of the page up to date. The focus stays where it was; other scripts hear "refreshed".
export const refresh = async (part) => {
  const answer = await fetch(location.href, { cache: "no-store" });
  // The session has ended, or the page is gone: show what the server has to say about it.
  if (answer.redirected || answer.status === 403 || answer.status === 404) { location.reload(); return; }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  for (const name of ["follow", "live"]) {
    if (name in fresh.dataset) part.dataset[name] = fresh.dataset[name];
    else delete part.dataset[name];
  }
  if (fresh.innerHTML === part.innerHTML) return;
  const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  part.replaceChildren(...fresh.childNodes);
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  document.dispatchEvent(new Event("refreshed"));
};
