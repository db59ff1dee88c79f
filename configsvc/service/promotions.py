"""Promotion: what keys are in one environment becomes what they are in another one.

Secrets are opened and sealed anew for their new place, inside the service; no answer, log or audit event has their
values. What a secret is can be read in its new place by those who read that one, so moving it takes the right to
reveal it where it is, and is recorded there before it happens, as revealing is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from configsvc.domain import comparisons, names
from configsvc.domain.comparisons import Promoted
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit, Source
from configsvc.errors import Forbidden, ReviewRequired, ValidationFailed
from configsvc.service.access import Caller
from configsvc.service.comparisons import Comparisons, State
from configsvc.service.releases import Releases
from configsvc.service.writes import Outcome, Terms, Write
from configsvc.store import audit
from configsvc.store.database import Database

#: Keys that an error names; more would not help anybody.
_NAMED_MAX = 10
#: Scopes and revisions that one proposal takes values from; each is read whole.
SOURCES_MAX = 100


@dataclass(frozen=True)
class Wanted:
    """What to promote: from where, as it is there now or was at ``revision``; which keys, None for all.

    ``prune``: also unset what has no value in the source.
    """

    source: str
    revision: int | None = None
    keys: Sequence[str] | None = None
    prune: bool = False


class Promotions:
    """Plans what the gate then commits, and what a request proposes."""

    def __init__(self, database: Database, comparisons: Comparisons, gate: Releases) -> None:
        self._database = database
        self._comparisons = comparisons
        self._gate = gate

    def promote(self, caller: Caller, namespace: str, env: str, wanted: Wanted, terms: Terms) -> Outcome:
        """Give keys of a scope the values that they have in another environment, as one release.

        Raises:
            NotFound, Forbidden: no grant in one of both environments, or too small a one; to move secrets takes the
                right to reveal them in the source.
            ReviewRequired: the target is protected; nothing has been opened.
            ValidationFailed: source and target are the same, or a key that is named has no value in the source.
        """
        if wanted.source == env:
            raise ValidationFailed([("from", f"{env} is where it is to go: name another environment")])
        for number, key in enumerate(wanted.keys or ()):
            names.check_key(key, f"keys[{number}]")

        def plan() -> Write:
            environment = self._gate.authorise(caller, env, [namespace], terms)
            if environment["review_required"] and not terms.dry_run and not terms.break_glass:
                raise ReviewRequired(env)
            source = self._comparisons.state(caller, namespace, wanted.source, wanted.revision)
            target = self._comparisons.state(caller, namespace, env)
            edits = self._plan(caller, source, target, wanted)
            if not terms.dry_run:
                self._record(caller, source, [edit.key for edit in edits if edit.concealed], env)
            return Write(
                env,
                edits,
                "promote",
                base=target.label.revision,
                namespace=namespace,
                made_from=f"from {source.label.env} at revision {source.label.revision}",
            )

        return self._gate.commit_plan(caller, env, plan, terms)

    def proposed(self, caller: Caller, env: str, promoted: Sequence[Promoted]) -> list[Edit]:
        """Return the edits of a proposal that promotes something to an environment.

        Raises:
            NotFound, Forbidden, ValidationFailed: as ``promote`` does.
        """
        edits: list[Edit] = []
        sources = dict.fromkeys((each.namespace, each.env, each.revision) for each in promoted)
        if len(sources) > SOURCES_MAX:
            why = f"take values from {len(sources)} scopes and revisions; one request may from {SOURCES_MAX}"
            raise ValidationFailed([("changes", why)])
        for namespace, source, revision in sources:
            self._gate.authorise(caller, env, [namespace], Terms(dry_run=True))  # proposing takes what seeing takes
            state = self._comparisons.state(caller, namespace, source, revision)
            here = [
                each for each in promoted if (each.namespace, each.env, each.revision) == (namespace, source, revision)
            ]
            for each in here:
                if each.env == env or each.key not in state.rows:
                    why = "is where it is to go" if each.env == env else f"has no value of {each.key}"
                    raise ValidationFailed([(f"{each.field}.promote_from", f"{each.env} {why}")])
            keys = {each.key for each in here}
            _require_moving(caller, state, keys)
            (settings,) = self._comparisons.settings([state], keys, opened=True)
            self._record(caller, state, [key for key in sorted(keys) if settings[key].secret], env)
            where = Source(source, state.label.revision)
            edits += [
                replace(comparisons.promoted(namespace, each.key, settings[each.key], each.field), source=where)
                for each in here
            ]
        return edits

    def _plan(self, caller: Caller, source: State, target: State, wanted: Wanted) -> list[Edit]:
        keys = comparisons.wanted(source.rows, target.rows, wanted.keys, wanted.prune, wanted.source)
        _require_moving(caller, source, keys)
        namespace, envs = source.label.namespace, [source.label.env, target.label.env]
        (there,) = self._comparisons.settings([source], keys, opened=True)
        # Else a secret is written whatever it was: that it was the same is not for everybody.
        told = self._comparisons.may_compare_secrets(caller, namespace, envs)
        (here,) = self._comparisons.settings([target], there.keys(), opened=told)
        return comparisons.promotion(namespace, there, here, (keys & target.rows.keys()) - there.keys())

    def _record(self, caller: Caller, source: State, keys: Sequence[str], env: str) -> None:
        """Record in the source which of its secrets go where: before they do."""
        if not keys:
            return
        with self._database.transaction() as connection:
            audit.record(
                connection,
                caller.origin,
                "secret.promote",
                {"keys": list(keys), "revision": source.label.revision, "to": env},
                env=source.label.env,
                in_order=True,
                namespaces=[source.label.namespace],
            )


def _require_moving(caller: Caller, source: State, keys: Collection[str]) -> None:
    """Refuse whoever may not move secrets out of the source."""
    namespace, env = source.label.namespace, source.label.env
    secret = sorted(key for key in keys if key in source.rows and source.rows[key]["value_id"] is not None)
    if secret and not caller.may(Action.REVEAL, namespace, env):
        more = f" and {len(secret) - _NAMED_MAX} more" if len(secret) > _NAMED_MAX else ""
        raise Forbidden(
            f"{caller.name} may not move secrets out of {namespace} in {env}, because whoever reads the target reads "
            f"them then: that takes the role ops or admin there; leave out {', '.join(secret[:_NAMED_MAX])}{more}"
        )
