// Brings a part of the page up to date, and touches only what is new in it. The focus stays where it was; other scripts
// hear "refreshed".
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
  const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  if (!update(part, fresh)) return;
  if (focused && !part.contains(document.activeElement)) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  document.dispatchEvent(new Event("refreshed"));
};

// Makes a node like a fresh one and tells whether it was not. As far down as both have the same shape, it stays itself.
const update = (node, fresh) => {
  // A row that the search has hidden is no other row.
  if (node.hidden) fresh.hidden = true;
  if (node.isEqualNode(fresh)) return false;
  if (!node.cloneNode().isEqualNode(fresh.cloneNode())) {
    node.replaceWith(fresh);
  } else if (node.childNodes.length === fresh.childNodes.length) {
    const wanted = [...fresh.childNodes];
    [...node.childNodes].forEach((child, index) => update(child, wanted[index]));
  } else {
    node.replaceChildren(...fresh.childNodes);
  }
  return true;
};
