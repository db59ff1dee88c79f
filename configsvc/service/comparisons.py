"""Environments beside each other: what each key of a namespace is in each of them, and whether that is the same."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from configsvc.crypto.envelope import Place
from configsvc.domain import comparisons
from configsvc.domain.comparisons import Setting
from configsvc.domain.policy import Action
from configsvc.service.access import Caller
from configsvc.service.bodies import Label
from configsvc.service.history import History
from configsvc.service.reading import Reading
from configsvc.service.secrets import Secrets
from configsvc.store import catalog as catalog_store
from configsvc.store import config as store
from configsvc.store.database import Database, Row


@dataclass(frozen=True)
class State:
    """A scope at a release: its keys that have a value, by name."""

    label: Label
    rows: Mapping[str, Row]


@dataclass(frozen=True)
class Compared:
    """One key: its declaration, its row in each environment (None: unset), and whether it is the same in all of them.

    ``same`` None: the caller may not know.
    """

    key: Row
    rows: Sequence[Row | None]
    same: bool | None


@dataclass(frozen=True)
class Comparison:
    """A namespace in several environments."""

    labels: Sequence[Label]
    keys: Sequence[Compared]


class Comparisons:
    """Puts environments beside each other."""

    def __init__(self, database: Database, reading: Reading, history: History, secrets: Secrets) -> None:
        self._database = database
        self._reading = reading
        self._history = history
        self._secrets = secrets

    def state(self, caller: Caller, namespace: str, env: str, revision: int | None = None) -> State:
        """Return a scope as it is, or as it was at a revision.

        Raises:
            NotFound: it is not there, or the caller has no grant on it.
        """
        if revision is None:
            label = self._reading.scope(caller, namespace, env).label
        else:
            label = self._history.scope(caller, namespace, env, revision).label
        rows = store.scope_at(self._database, label.env_id, label.namespace_id, label.revision)
        return State(label, {row["name"]: row for row in rows})

    def compare(self, caller: Caller, namespace: str, envs: Sequence[str]) -> Comparison:
        """Return every declared key of a namespace beside its values in some environments.

        Raises:
            NotFound: one of the scopes is not there, or the caller has no grant on it.
            CannotOpen, Unavailable: the caller may know whether secrets are the same, and they do not open.
        """
        states = [self.state(caller, namespace, env) for env in envs]
        settings = self.settings(states, opened=self.may_compare_secrets(caller, namespace, envs))
        keys = [
            Compared(
                key,
                [state.rows.get(key["name"]) for state in states],
                comparisons.same([each.get(key["name"]) for each in settings]),
            )
            for key in catalog_store.declared(self._database, states[0].label.namespace_id)
        ]
        return Comparison([state.label for state in states], keys)

    def may_compare_secrets(self, caller: Caller, namespace: str, envs: Sequence[str]) -> bool:
        """Tell whether the caller may know if secrets are the same in these environments.

        That takes the right to write each of them: whoever sets guesses in one would else learn the other one's secret.
        """
        found = [catalog_store.environment(self._database, env) for env in envs]
        return all(
            row is not None and caller.may(Action.WRITE, namespace, row["name"], bool(row["review_required"]))
            for row in found
        )

    def settings(
        self, states: Sequence[State], keys: Collection[str] | None = None, *, opened: bool
    ) -> list[Mapping[str, Setting]]:
        """Return what can be compared of some scopes, or of some keys in them. Don't keep it.

        ``opened``: secrets, too, by one look-up for all of them; else these have no text.
        """
        chosen = [{name: row for name, row in state.rows.items() if keys is None or name in keys} for state in states]
        places = [
            Place(state.label.namespace, state.label.env, name, row["value_id"])
            for state, rows in zip(states, chosen, strict=True)
            for name, row in rows.items()
            if row["value_id"] is not None
        ]
        texts = dict(zip(places, self._secrets.open(places), strict=True)) if opened else {}

        def setting(state: State, name: str, row: Row) -> Setting:
            if row["value_id"] is None:
                return Setting(row["value"])
            place = Place(state.label.namespace, state.label.env, name, row["value_id"])
            return Setting(texts.get(place), secret=True)

        return [
            {name: setting(state, name, row) for name, row in rows.items()}
            for state, rows in zip(states, chosen, strict=True)
        ]
