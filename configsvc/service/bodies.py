"""What readers get, as ready bytes.

History never changes, so the JSON of a scope at a revision, or of the changes between two, is made once and then
comes from memory: a read costs one look-up of labels. A thousand clients that ask at once cost one rendering.
"""

import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache, cached

from configsvc.domain import messages
from configsvc.store import config as store
from configsvc.store.database import Database

#: Memory of one worker for bodies. Four full scopes of 16 MiB, or thousands of ordinary ones.
CACHE_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True)
class Label:
    """Names one immutable body: a scope, at a release of one history (the cursor tells histories apart)."""

    env_id: int
    namespace_id: int
    revision: int
    cursor: str


class Bodies:
    """Renders and remembers. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Two readers who miss the same body: one renders, the other waits for it.
        remembered = cached(
            LRUCache(CACHE_BYTES_MAX, getsizeof=sys.getsizeof),
            key=lambda kind, label, _: (kind, label),
            condition=threading.Condition(),
        )
        self._remember: Callable[[object, Label, Callable[[], Any]], Any] = remembered(lambda _, __, render: render())

    def document(self, label: Label, render: Callable[[str], bytes]) -> bytes:
        """Return what ``render`` makes of the scope's values: a whole answer, ready to be sent."""
        document: bytes = self._remember("document", label, lambda: render(self.values(label)))
        return document

    def values(self, label: Label) -> str:
        """Return the JSON object of a scope's values at a release."""
        values: str = self._remember("values", label, lambda: self._values(label))
        return values

    def changes(self, label: Label, after: int) -> str:
        """Return the JSON list of what changed in a scope after a revision and up to the label's."""
        changes: str = self._remember(("changes", after), label, lambda: self._changes(label, after))
        return changes

    def _values(self, label: Label) -> str:
        rows = store.scope_at(self._database, label.env_id, label.namespace_id, label.revision)
        entries = (
            f"{json.dumps(row['name'])}:{messages.config_entry(row['type'], row['version'], row['value'])}"
            for row in rows
        )
        return "{" + ",".join(entries) + "}"

    def _changes(self, label: Label, after: int) -> str:
        rows = store.changes_between(self._database, label.env_id, [label.namespace_id], after, label.revision)
        return joined([messages.change_entry(row["name"], row["type"], row["version"], row["value"]) for row in rows])


def joined(entries: Sequence[str]) -> str:
    """Return a JSON list of ready JSON texts."""
    return "[" + ",".join(entries) + "]"
