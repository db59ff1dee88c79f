"""What readers get, as ready text.

History never changes, so the JSON of a scope at a revision, or of the changes between two, is made once and then
comes from memory: a read costs one look-up of labels. A thousand clients that ask at once cost one rendering.

In memory a body has holes where secrets are. They are filled for each request anew: with values for those who may read
them, else with what shows of a secret.
"""

import json
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from cachetools import LRUCache, cached

from configsvc.crypto.envelope import Place
from configsvc.domain import messages
from configsvc.service.secrets import Secrets
from configsvc.store import config as store
from configsvc.store.database import Database, Row

#: Memory of one worker for bodies. Four full scopes of 16 MiB, or thousands of ordinary ones.
CACHE_BYTES_MAX = 64 * 1024 * 1024
#: What a hole costs beyond its texts.
_HOLE_BYTES = 500


class Label(NamedTuple):
    """Names one immutable body: a scope, at a release of one history (the cursor tells histories apart)."""

    env_id: int
    namespace_id: int
    revision: int
    cursor: str
    env: str
    namespace: str


@dataclass(frozen=True)
class Hole:
    """Where a secret stands: its entry is ``masked``, or ``before``, the value and ``after``."""

    place: Place
    before: str
    after: str
    masked: str


@dataclass(frozen=True)
class Body:
    """A text with holes: one text more than holes."""

    texts: Sequence[str]
    holes: Sequence[Hole]

    @classmethod
    def of(cls, first: str, entries: Iterable[str | Hole], last: str) -> "Body":
        """Put entries together, with commas between them."""
        texts, holes, text = [], [], [first]
        for number, entry in enumerate(entries):
            text.append("," if number else "")
            if isinstance(entry, str):
                text.append(entry)
            else:
                texts.append("".join(text))
                holes.append(entry)
                text = []
        return cls((*texts, "".join([*text, last])), tuple(holes))

    @classmethod
    def join(cls, parts: Iterable["str | Body"]) -> "Body":
        """Put texts and bodies together."""
        texts, holes = [""], list[Hole]()
        for part in parts:
            first, *others = (part,) if isinstance(part, str) else part.texts
            texts[-1] += first
            texts += others
            holes += () if isinstance(part, str) else part.holes
        return cls(tuple(texts), tuple(holes))

    def masked(self) -> str:
        """Return it as those see it who may not read secrets."""
        return self._filled([hole.masked for hole in self.holes])

    def clear(self, secrets: Secrets) -> str:
        """Return it with all values. Don't keep it."""
        values = secrets.open([hole.place for hole in self.holes])
        return self._filled(
            [f"{hole.before}{value}{hole.after}" for hole, value in zip(self.holes, values, strict=True)]
        )

    def size(self) -> int:
        """Return about how many bytes it takes."""
        shown = (len(hole.before) + len(hole.after) + len(hole.masked) for hole in self.holes)
        return sum(map(sys.getsizeof, self.texts)) + sum(shown) + _HOLE_BYTES * len(self.holes)

    def _filled(self, fillings: Sequence[str]) -> str:
        if not fillings:
            return self.texts[0]
        return "".join(chain.from_iterable(zip(self.texts, [*fillings, ""], strict=True)))


class Bodies:
    """Renders and remembers. Safe to share between threads."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        # Two readers who miss the same body: one renders, the other waits for it.
        remembered = cached(
            LRUCache(CACHE_BYTES_MAX, getsizeof=_size),
            key=lambda kind, name, _: (kind, name),
            condition=threading.Condition(),
        )
        self._remember: Callable[[Hashable, Hashable, Callable[[], Any]], Any] = remembered(
            lambda _, __, render: render()
        )

    def document(self, label: Label, clear: bool, around: Callable[[], tuple[str, str]]) -> bytes:
        """Return a whole answer, ready to be sent: what is ``around`` the JSON object of the scope's values, and these.

        ``clear``: with the values of secrets; only what has none of them comes from memory as it is.
        """
        if clear:
            body: Body | None = self._remember("clear", label, lambda: self._with_holes(label, around))
            if body is not None:
                return body.clear(self._secrets).encode()
        document: bytes = self._remember("document", label, lambda: self._document(label, around))
        return document

    def _with_holes(self, label: Label, around: Callable[[], tuple[str, str]]) -> Body | None:
        body = self._body("values", label, self._values)
        before, after = around()
        return Body.join([before, body, after]) if body.holes else None

    def _document(self, label: Label, around: Callable[[], tuple[str, str]]) -> bytes:
        before, after = around()
        return f"{before}{self.values(label, clear=False)}{after}".encode()

    def answer(self, name: Hashable, make: Callable[[], Body]) -> str:
        """Return a whole answer that is always the same under its name, all its holes filled with values."""
        body: Body = self._remember("answer", name, make)
        return body.clear(self._secrets)

    def values(self, label: Label, clear: bool) -> str:
        """Return the JSON object of a scope's values at a release."""
        body = self.values_body(label, clear)
        return body.clear(self._secrets)

    def values_body(self, label: Label, clear: bool) -> Body:
        """Return the JSON object of a scope's values at a release, with holes for those that may be shown."""
        return _shown(self._body("values", label, self._values), clear)

    def changes_body(self, label: Label, after: int, clear: bool) -> Body:
        """Return the JSON list of what changed in a scope after a revision and up to the label's, likewise."""
        return _shown(self._body(("changes", after), label, lambda label: self._changes(label, after)), clear)

    def _body(self, kind: Hashable, label: Label, make: Callable[[Label], Body]) -> Body:
        body: Body = self._remember(kind, label, lambda: make(label))
        return body

    def _values(self, label: Label) -> Body:
        rows = store.scope_at(self._database, label.env_id, label.namespace_id, label.revision)
        return Body.of("{", (_value(label, row) for row in rows), "}")

    def _changes(self, label: Label, after: int) -> Body:
        rows = store.changes_between(self._database, label.env_id, [label.namespace_id], after, label.revision)
        return Body.of("[", (_change(label, row) for row in rows), "]")


def _shown(body: Body, clear: bool) -> Body:
    return body if clear or not body.holes else Body((body.masked(),), ())


def _value(label: Label, row: Row) -> str | Hole:
    name = f"{json.dumps(row['name'])}:"
    if row["value_id"] is None:
        return name + messages.config_entry(row["type"], row["version"], row["value"])
    before, after = messages.secret_entry(row["type"], row["version"])
    masked = messages.masked_entry(row["type"], row["version"], row["fingerprint"])
    return Hole(_place(label, row), name + before, after, name + masked)


def _change(label: Label, row: Row) -> str | Hole:
    named = row["name"], row["type"], row["version"]
    if row["value_id"] is None:
        return messages.change_entry(*named, row["value"])
    before, after = messages.secret_change(*named)
    return Hole(_place(label, row), before, after, messages.masked_change(*named, row["fingerprint"]))


def _place(label: Label, row: Row) -> Place:
    # Where it was found, not what its row says it is for: one that was moved does not open.
    return Place(label.namespace, label.env, row["name"], row["value_id"])


def _size(remembered: Body | bytes | None) -> int:
    return remembered.size() if isinstance(remembered, Body) else sys.getsizeof(remembered)
