// Says where JSON that is being typed goes wrong: line, column and what is missing. Without this script, the server says it.
const LITERAL = /(?:true|false|null)\b|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;

class Wrong extends Error {
  constructor(at, message) { super(message); this.at = at; }
}

// Reads a text as strict JSON; throws what is wrong first, and where. As in the service, a name stands once in an object.
const read = (text) => {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found?.[0];
  };
  const wrong = (message) => { throw new Wrong(at, at >= text.length ? `${message}, and here the text ends` : message); };
  const many = (end, item) => {
    at += 1;
    take(SPACE);
    if (text[at] === end) { at += 1; return; }
    for (;;) {
      item();
      take(SPACE);
      if (text[at] === end) { at += 1; return; }
      if (text[at] !== ",") wrong(`a comma or ${end} belongs here`);
      at += 1;
      take(SPACE);
      if (text[at] === end) wrong("nothing follows this comma: take it away");
    }
  };
  const value = () => {
    take(SPACE);
    if (text[at] === "{") {
      const names = new Set();
      many("}", () => {
        const begin = at;
        const name = take(STRING);
        if (!name) wrong("a name in double quotes belongs here");
        if (names.has(JSON.parse(name))) { at = begin; wrong(`the name ${name} stands here a second time`); }
        names.add(JSON.parse(name));
        take(SPACE);
        if (text[at] !== ":") wrong("a colon belongs here");
        at += 1;
        value();
      });
    } else if (text[at] === "[") {
      many("]", value);
    } else if (text[at] === '"') {
      if (!take(STRING)) wrong("this string does not end, or holds what has to be escaped");
    } else if (!take(LITERAL)) {
      wrong("a value belongs here: { [ a string in double quotes, a number, true, false or null");
    }
  };
  value();
  take(SPACE);
  if (at < text.length) wrong("nothing more belongs here");
};

for (const area of document.querySelectorAll("textarea[data-json]")) {
  const said = document.getElementById(`${area.id}-place`);
  const look = () => {
    let problem = null;
    try { read(area.value); } catch (error) {
      // What goes deeper than this browser can follow, the server looks at.
      if (error instanceof Wrong) problem = error;
    }
    area.classList.toggle("is-invalid", problem !== null);
    said.classList.toggle("d-block", problem !== null);
    said.replaceChildren();
    if (!problem) return;
    const before = area.value.slice(0, problem.at).split("\n");
    const go = document.createElement("button");
    go.type = "button";
    go.className = "btn btn-sm btn-link p-0 align-baseline";
    go.textContent = `Line ${before.length}, column ${before.at(-1).length + 1}`;
    go.addEventListener("click", () => { area.focus(); area.setSelectionRange(problem.at, problem.at + 1); });
    said.append(go, `: ${problem.message}`);
  };
  area.addEventListener("input", look);
  if (area.value.trim()) look();
}
