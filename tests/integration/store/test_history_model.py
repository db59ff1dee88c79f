"""All writes mixed, against a model in memory: whatever happens, every past revision reads as the model had it."""

import itertools
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from configsvc.domain import values
from configsvc.domain.policy import Grant
from configsvc.domain.releases import Edit
from configsvc.errors import Conflict, NotFound, RequestError, RevisionMismatch, ValidationFailed
from configsvc.service.access import Caller, Identity
from configsvc.service.bodies import Bodies
from configsvc.service.history import History
from configsvc.service.keys import Declaration, Keys
from configsvc.service.plans import Plans
from configsvc.service.releases import Releases
from configsvc.service.secrets import Secrets
from configsvc.service.writes import Condition, Outcome, Terms, Write
from configsvc.store import catalog, config
from configsvc.store import history as history_store
from tests.integration.store.world import ORIGIN, World

KEYS = ("a", "b", "c")
#: A few values of each type, so that many writes change nothing.
VALUES: dict[str, list[Any]] = {
    "int": [0, 1, 2],
    "float": [0.0, -0.0, 1],
    "string": ["a", "1"],
    "json": [None, 1, {"z": 1, "a": 2}],
}

Name = tuple[str, str]  # namespace, key
State = dict[Name, tuple[str, str]]  # type, value text

ALICE = Caller(Identity("0" * 12, "alice", "alice", None, (Grant("ops", "*", None),)), ORIGIN)
_numbers = itertools.count()


class Service:
    """The use cases on one database, with two namespaces and two environments that nobody else uses."""

    def __init__(self, world: World) -> None:
        self.world = world
        number = next(_numbers)
        self.envs = tuple(f"{letter}{number}" for letter in "pq")
        self.namespaces = tuple(f"{letter}{number}" for letter in "xy")
        with world.store.connection() as connection:
            for env in self.envs:
                catalog.create_environment(
                    connection, name=env, description="", review_required=False, approvals=1, actor="alice"
                )
        self.ids = {name: world.namespace(name) for name in self.namespaces}
        secrets = Secrets(world.store, None)
        bodies = Bodies(world.store, secrets)
        history = History(world.store, bodies)
        self.keys = Keys(world.store, secrets)
        self.gate = Releases(world.store, secrets, bytes(32))
        self.plans = Plans(world.store, history, self.gate)

    def declare(self, name: Name, type_: str) -> None:
        """Declare a key."""
        self.keys.declare(ALICE, name[0], [Declaration(name[1], type_)])

    def delete_key(self, name: Name) -> None:
        """Delete a key's declaration."""
        self.keys.delete(ALICE, *name)

    def edit(self, env: str, changes: dict[Name, Any], terms: Terms) -> Outcome:
        """Commit a batch; ... deletes."""
        edits = [
            Edit(*name, None if value is ... else value, value is ..., f"changes[{number}]")
            for number, (name, value) in enumerate(changes.items())
        ]
        return self.gate.commit(ALICE, Write(env, edits), terms)

    def rollback(self, env: str, name: Name, version: int, terms: Terms) -> Outcome:
        """Roll one key back."""
        return self.plans.rollback(ALICE, name[0], env, name[1], version, terms)

    def restore(self, env: str, namespace: str, revision: int, terms: Terms) -> Outcome:
        """Restore one scope."""
        return self.plans.restore(ALICE, namespace, env, revision, terms)

    def undo(self, env: str, revision: int, terms: Terms) -> Outcome:
        """Undo one release."""
        return self.plans.undo(ALICE, env, revision, terms)

    def state(self, env: str, revision: int) -> State:
        """What both scopes show at a revision."""
        env_id = self.world.env_id(env)
        return {
            (namespace, row["name"]): (row["type"], row["value"])
            for namespace, id_ in self.ids.items()
            for row in config.scope_at(self.world.store, env_id, id_, revision)
        }


# One writer, step by step --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """One version of a name. ``declaration``: which of the name's declarations it belongs to."""

    declaration: int
    revision: int
    type: str
    text: str | None


@dataclass
class Environment:
    """What an environment must be: each revision's state, and each name's versions."""

    states: list[State] = field(default_factory=lambda: [{}])
    versions: dict[Name, list[Version]] = field(default_factory=dict)

    @property
    def revision(self) -> int:
        """The newest one."""
        return len(self.states) - 1

    @property
    def now(self) -> State:
        """The newest state."""
        return self.states[-1]


class Machine(RuleBasedStateMachine):
    """Every rule does something to the service, says what must come of it, and does it to the model."""

    world: World

    @initialize()
    def begin(self) -> None:
        """Two empty environments, two namespaces, no key."""
        self.service = Service(self.world)
        self.envs = {env: Environment() for env in self.service.envs}
        self.types: dict[Name, str] = {}
        self.declarations: dict[Name, int] = {}

    # Where a rule acts is drawn as small numbers, because the names are new in every run.
    envs_ = st.integers(0, 1)
    names_ = st.tuples(st.integers(0, 1), st.sampled_from(KEYS))
    terms_ = st.sampled_from([Terms(), Terms(dry_run=True), Terms(), Terms(note="why")])

    def name(self, drawn: tuple[int, str]) -> Name:
        """The name that was drawn."""
        return self.service.namespaces[drawn[0]], drawn[1]

    @rule(drawn=names_, type_=st.sampled_from(sorted(VALUES)))
    def declare(self, drawn: tuple[int, str], type_: str) -> None:
        """A key is declared, unless it is already."""
        name = self.name(drawn)
        if name in self.types:
            self.fails(Conflict, lambda: self.service.declare(name, type_))
        else:
            self.service.declare(name, type_)
            self.types[name] = type_
            self.declarations[name] = self.declarations.get(name, 0) + 1

    @rule(drawn=names_)
    def delete_key(self, drawn: tuple[int, str]) -> None:
        """A key goes, if it has a value nowhere."""
        name = self.name(drawn)
        if name not in self.types:
            self.fails(NotFound, lambda: self.service.delete_key(name))
        elif any(name in env.now for env in self.envs.values()):
            self.fails(Conflict, lambda: self.service.delete_key(name))
        else:
            self.service.delete_key(name)
            del self.types[name]

    @rule(
        env=envs_,
        wanted=st.dictionaries(names_, st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=4),
        only_declared=st.sampled_from([True, True, True, False]),
        terms=terms_,
    )
    def edit(self, env: int, wanted: dict[Any, tuple[int, int]], only_declared: bool, terms: Terms) -> None:
        """A batch over both namespaces sets and unsets keys."""
        changes: dict[Name, Any] = {}
        for drawn, (choice, action) in wanted.items():
            name = self.name(drawn)
            if name in self.types or not only_declared:
                pool = VALUES[self.types.get(name, "int")]
                changes[name] = ... if action == 0 else pool[choice % len(pool)]
        if not changes:
            return
        texts = self.texts({name: None if value is ... else json.dumps(value) for name, value in changes.items()})
        self.writes(env, texts, terms, lambda at, how: self.service.edit(at, changes, how))

    @rule(env=envs_, drawn=names_, version=st.integers(1, 12), terms=terms_)
    def rollback(self, env: int, drawn: tuple[int, str], version: int, terms: Terms) -> None:
        """A key gets back what it was in a version, of this declaration or an earlier one."""
        name, model = self.name(drawn), self.model(env)
        versions = model.versions.get(name, [])
        texts: Any = NotFound
        if version <= len(versions) and name in self.types:
            texts = self.texts({name: versions[version - 1].text})
        self.writes(env, texts, terms, lambda at, how: self.service.rollback(at, name, version, how))

    @rule(env=envs_, namespace=st.integers(0, 1), back=st.integers(0, 12), terms=terms_)
    def restore(self, env: int, namespace: int, back: int, terms: Terms) -> None:
        """A scope is again what it was, as far as today's types take it."""
        model, scope = self.model(env), self.service.namespaces[namespace]
        revision = model.revision - back
        if revision < 0:
            return
        then = model.states[revision]
        names = {name for name in then.keys() | model.now.keys() if name[0] == scope}
        differ = [name for name in sorted(names) if then.get(name) != model.now.get(name)]
        texts = self.texts({name: then[name][1] if name in then else None for name in differ})
        self.writes(env, texts, terms, lambda at, how: self.service.restore(at, scope, revision, how))

    @rule(env=envs_, back=st.integers(0, 6), terms=terms_)
    def undo(self, env: int, back: int, terms: Terms) -> None:
        """One release is taken back, if nothing later touched its keys."""
        model = self.model(env)
        revision = model.revision - back
        if revision < 1:
            return
        texts: Any = {}
        for name, versions in model.versions.items():
            for before, version in zip([None, *versions], versions, strict=False):
                if version.revision == revision:
                    last = [each for each in versions if each.declaration == version.declaration][-1]
                    if last is not version or not self.is_declared(name, version.declaration):
                        texts = Conflict
                    elif texts is not Conflict:
                        texts[name] = before.text if before and before.declaration == version.declaration else None
        self.writes(env, texts, terms, lambda at, how: self.service.undo(at, revision, how))

    @rule(env=envs_, drawn=names_, choice=st.integers(0, 2), terms=terms_)
    def release_and_undo(self, env: int, drawn: tuple[int, str], choice: int, terms: Terms) -> None:
        """Undo ∘ release = identity, where nothing comes in between."""
        name, model = self.name(drawn), self.model(env)
        if name not in self.types:
            return
        before = model.now
        self.edit(env, {drawn: (choice, 1)}, True, Terms())
        if model.now != before:
            self.undo(env, 0, Terms())
            assert model.now == before

    @rule(env=envs_, drawn=names_, version=st.integers(0, 3))
    def unset_if_match(self, env: int, drawn: tuple[int, str], version: int) -> None:
        """A condition on a key's version is decided about the present one."""
        name, model = self.name(drawn), self.model(env)
        if name not in self.types:
            return
        present = len(model.versions[name]) if name in model.now else 0
        texts: Any = {name: None} if version == present else RevisionMismatch
        terms = Terms(condition=Condition(version=version))
        self.writes(env, texts, terms, lambda at, how: self.service.edit(at, {name: ...}, how))

    @rule(env=envs_, back=st.integers(0, 20))
    def read(self, env: int, back: int) -> None:
        """Any past revision reads as it was."""
        model = self.model(env)
        revision = max(0, model.revision - back)
        assert self.service.state(self.service.envs[env], revision) == model.states[revision]

    def teardown(self) -> None:
        """All of history is as the model had it, and the chain computes anew."""
        if not hasattr(self, "service"):
            return
        for env, model in self.envs.items():
            assert self.world.revision(env) == model.revision
            for revision, state in enumerate(model.states):
                assert self.service.state(env, revision) == state
            for name, versions in model.versions.items():
                rows = history_store.versions(self.world.store, name[0], env, name[1], 10**9, 10**6)
                told = [(row["version"], row["revision"], row["type"], row["value"]) for row in reversed(rows)]
                assert told == [
                    (number, version.revision, version.type, version.text) for number, version in enumerate(versions, 1)
                ]
            self.world.check_history(env)

    def model(self, env: int) -> Environment:
        """The model of an environment."""
        return self.envs[self.service.envs[env]]

    def is_declared(self, name: Name, declaration: int) -> bool:
        """Whether this very declaration of the name stands."""
        return name in self.types and self.declarations[name] == declaration

    def texts(self, wanted: dict[Name, str | None]) -> Any:
        """What today's types make of some value texts; the error if one of them can't be."""
        texts: dict[Name, str | None] = {}
        for name, text in wanted.items():
            if name not in self.types:
                return ValidationFailed
            try:
                texts[name] = None if text is None else values.to_text(self.types[name], json.loads(text))
            except ValueError:
                return ValidationFailed
        return texts

    def fails(self, error: type[RequestError], call: Callable[[], object]) -> None:
        """The call fails in this way, and no other."""
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error

    def writes(self, env: int, texts: Any, terms: Terms, call: Callable[[str, Terms], Outcome]) -> None:
        """The write fails with the error, or changes what differs from these texts; for real, or to see only."""
        at, model = self.service.envs[env], self.model(env)
        if isinstance(texts, type):
            self.fails(texts, lambda: call(at, terms))
            return
        changed = {name: text for name, text in texts.items() if text != model.now.get(name, ("", None))[1]}
        answer = call(at, terms).answer
        revision = model.revision + bool(changed)
        assert (answer["revision"], answer["changed"]) == (revision, bool(changed))
        told = {(each["namespace"], each["key"]): each["version"] for each in answer["changes"]}  # type: ignore[attr-defined]
        assert told == {name: len(model.versions.get(name, [])) + 1 for name in changed}
        if terms.dry_run:
            assert len(answer["diff"]) == len(changed)  # type: ignore[arg-type]
        elif changed:
            self.commit(model, changed)

    def commit(self, model: Environment, changed: dict[Name, str | None]) -> None:
        """Do it to the model."""
        state = dict(model.now)
        for name, text in changed.items():
            version = Version(self.declarations[name], model.revision + 1, self.types[name], text)
            model.versions.setdefault(name, []).append(version)
            state.pop(name, None)
            if text is not None:
                state[name] = (version.type, text)
        model.states.append(state)


def run_machine(world: World, examples: int, steps: int) -> None:
    """Run random histories on one database."""
    machine = type("HistoryMachine", (Machine,), {"world": world})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_histories(world: World) -> None:
    """Edits, deletes, ways back, trials and re-declarations mixed do what the model says."""
    run_machine(world, examples=30, steps=50)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_many_long_random_histories(world: World) -> None:
    """The same, for minutes."""
    run_machine(world, examples=200, steps=120)


# Many writers at once ------------------------------------------------------------------------------------------------


class Rioter:
    """Does random things, each with a note that says what, and remembers which went through."""

    def __init__(self, service: Service, seed: int) -> None:
        self._service = service
        self._random = random.Random(seed)
        self.done: list[tuple[str, int]] = []  # environment, revision

    def run(self, operations: int) -> list[tuple[str, int]]:
        """Do so many things."""
        for _ in range(operations):
            env = self._random.choice(self._service.envs)
            what = self._random.choice([self._edit] * 5 + [self._rollback, self._restore, self._undo, self._declare])
            try:
                answer = what(env, dry_run=self._random.random() < 0.1)
            except (Conflict, NotFound, ValidationFailed):  # others were faster; nothing may be written then
                continue
            if answer is not None:
                self.done.append((env, int(str(answer["revision"]))))
        return self.done

    def _name(self) -> Name:
        return self._random.choice(self._service.namespaces), self._random.choice(KEYS)

    def _seen(self, env: str) -> int:
        return self._service.world.revision(env)

    def _edit(self, env: str, dry_run: bool) -> Any:
        changes = {self._name(): self._random.choice([..., 0, 1, 2, 3]) for _ in range(self._random.randint(1, 4))}
        said = [[*name, None if value is ... else str(value)] for name, value in changes.items()]
        return self._answer(self._service.edit(env, changes, Terms(json.dumps({"edit": said}), dry_run=dry_run)))

    def _rollback(self, env: str, dry_run: bool) -> Any:
        name, version = self._name(), self._random.randint(1, 5)
        terms = Terms(json.dumps({"rollback": [*name, version]}), dry_run=dry_run)
        return self._answer(self._service.rollback(env, name, version, terms))

    def _restore(self, env: str, dry_run: bool) -> Any:
        namespace = self._random.choice(self._service.namespaces)
        revision = self._random.randint(0, self._seen(env))
        terms = Terms(json.dumps({"restore": [namespace, revision]}), dry_run=dry_run)
        return self._answer(self._service.restore(env, namespace, revision, terms))

    def _undo(self, env: str, dry_run: bool) -> Any:
        revision = max(1, self._seen(env) - self._random.randint(0, 3))
        return self._answer(self._service.undo(env, revision, Terms(json.dumps({"undo": revision}), dry_run=dry_run)))

    def _declare(self, env: str, dry_run: bool) -> None:
        name = self._name()
        for each in self._service.envs:
            self._answer(self._service.edit(each, {name: ...}, Terms(json.dumps({"edit": [[*name, None]]}))))
        self._service.delete_key(name)
        self._service.declare(name, "int")

    def _answer(self, outcome: Outcome) -> Any:
        answer = outcome.answer
        if answer["changed"] and "diff" not in answer:
            return answer
        return None


def riot(world: World, threads: int, operations: int) -> None:
    """Let many do random things at once, then replay what history says was done, and see that it is what was done."""
    service = Service(world)
    for name in itertools.product(service.namespaces, KEYS):
        service.declare(name, "int")
    with ThreadPoolExecutor(threads) as pool:
        rioters = [Rioter(service, seed) for seed in range(threads)]
        list(pool.map(lambda rioter: rioter.run(operations), rioters))
    for env in service.envs:
        world.check_history(env)
        chain = world.chain(env)
        states: list[State] = [{}]
        for release in chain[1:]:
            states.append(_replayed(release, states, chain))
            assert service.state(env, release["revision"]) == states[-1]
        answered = {revision for rioter in rioters for at, revision in rioter.done if at == env}
        assert answered <= set(range(1, len(states))), "what was answered with success is there"
        assert len(chain) > threads, "something happened"


def _replayed(release: dict[str, Any], states: list[State], chain: list[dict[str, Any]]) -> State:
    """Return the state after one release, having checked that it did what its note says, and nothing else."""
    before, state = states[-1], dict(states[-1])
    for namespace, key, type_, _, text in release["changes"]:
        assert before.get((namespace, key), ("", None))[1] != text, "a version that changes nothing"
        state.pop((namespace, key), None)
        if text is not None:
            state[namespace, key] = (type_, text)
    changed = {(namespace, key) for namespace, key, *_ in release["changes"]}
    ((what, said),) = json.loads(release["note"]).items()
    if what == "edit":
        wanted = {(namespace, key): text for namespace, key, text in said}
        assert changed <= wanted.keys()
        assert {name: state.get(name, ("", None))[1] for name in wanted} == wanted
    elif what == "restore":
        namespace, revision = said
        assert {name for name, _ in changed} == {namespace}
        assert _scope(state, namespace) == _scope(states[revision], namespace)
    elif what == "undo":
        undone = {(namespace, key): text for namespace, key, _, _, text in chain[said]["changes"]}
        assert changed == undone.keys()
        for name, text in undone.items():
            assert before.get(name, ("", None))[1] == text, "a later change was lost"
            assert state.get(name) == states[said - 1].get(name)
    else:
        assert len(changed) == 1
    return state


def _scope(state: State, namespace: str) -> State:
    return {name: entry for name, entry in state.items() if name[0] == namespace}


def test_a_riot(world: World) -> None:
    """Six writers at once: every past revision is consistent, no update is lost, the chain does not fork."""
    riot(world, threads=6, operations=150)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_a_long_riot(world: World) -> None:
    """The same, with more of both."""
    riot(world, threads=12, operations=800)
