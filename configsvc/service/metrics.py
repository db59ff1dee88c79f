"""What monitoring is told: of each environment that the caller may read, and of the relay."""

from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain.policy import Action
from configsvc.service.access import Caller
from configsvc.store import metrics as store
from configsvc.store.database import Database, Row


@dataclass(frozen=True)
class Figures:
    """Rows as ``store.metrics`` has them, and whether a relay leads."""

    environments: Sequence[Row]
    watchers: Sequence[Row]
    relay_leads: bool


class Metrics:
    """Reads the figures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self, caller: Caller) -> Figures:
        """Return what is there now."""

        def visible(rows: Sequence[Row]) -> Sequence[Row]:
            return [row for row in rows if caller.may(Action.READ, None, row["env"])]

        return Figures(
            visible(store.environments(self._database)),
            visible(store.watchers(self._database)),
            store.relay_leads(self._database),
        )
