"""Random histories against a model of the service: never torn, mixed or backwards, and always there in the end.

The network may lose, repeat and reorder every message, relays crash half way and speak for two, old messages come back,
syncs cross with pushes, and the database may be restored, whereupon numbers are used a second time for other contents.
"""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from configclient._messages import Answer, Asked, Header, Part
from configclient._state import Doubt, Incoming, State, Swapped, apply
from tests.unit.client.model import MINE, NAMESPACES, ModelService, Values, values_of

NAMES = [(namespace, key) for namespace in NAMESPACES for key in ("a", "b")]

names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
kinds = st.sampled_from("vvvnd")
# What works as it should is as frequent as what does not: a world of failures alone would never get anywhere.
usual = st.one_of(
    st.tuples(st.just("release"), names, kinds),
    st.tuples(st.just("release"), names, kinds),
    st.tuples(st.just("deliver"), st.just(0)),
    st.tuples(st.just("deliver_all")),
    st.tuples(st.just("sync")),
    st.tuples(st.just("crossing")),
    st.tuples(st.just("receive")),
)
unusual = st.one_of(
    st.tuples(st.just("commit"), names, kinds),
    st.tuples(st.just("publish"), st.integers(0, 5), st.integers(0, 4)),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.just("replay"), st.integers(0, 100)),
    st.tuples(st.just("heartbeat")),
    st.tuples(st.just("ask")),
    st.tuples(st.just("answer")),
    st.tuples(st.just("give_up")),
    st.tuples(st.just("doubt")),
    st.tuples(st.just("other_rights")),
    st.tuples(st.just("restore"), st.integers(0, 6)),
)
# Long ones by default: left alone, Hypothesis draws five steps, and nothing goes wrong in five.
steps = st.lists(st.one_of(usual, usual, unusual), min_size=20, max_size=60)


class World:
    """One client, one service, and the unreliable things between them. Checks every state that the client takes."""

    def __init__(self) -> None:
        self.service = ModelService()
        self.client = State(MINE)
        self.wire: list[Header | Part] = []
        self.sent: list[Header | Part] = []
        self.asked: Asked | None = None
        self.answered: Answer | None = None
        self.values = itertools.count(1)

    def take(self, incoming: Incoming) -> None:
        """Apply it, and check what must hold for every state ever shown."""
        last = self.client.last_header
        self.client, events = apply(self.client, incoming)
        for event in events:
            if isinstance(event, Swapped):
                self._check(event)
                assert all(held.revision > event.table.revision for held in self.client.hold.values()), "never lets go"
            elif isinstance(incoming, Header) and last is not None:
                assert incoming.beat > last.beat, "a replay taken for a sign of life"

    def _check(self, event: Swapped) -> None:
        cursor, before = event.table.cursor, event.previous.cursor
        assert cursor is not None
        release = self.service.ever[cursor]
        assert values_of(event.table) == _mine(release.values), "torn or mixed"
        assert event.table.revision == release.revision
        assert before is None or before in release.line or event.reset, "backwards, or over to another history unsaid"
        differ = event.table.differing(event.previous)
        assert differ <= event.names, "a key changed and nobody would be told"

    # Steps, by name.

    def commit(self, names: list[tuple[str, str]], how: str) -> None:
        """How: v with values, n with values too long or secret to push, d deleted."""
        changes = {name: None if how == "d" else next(self.values) for name in names}
        self.service.commit(changes, pushes_values=how != "n")

    def release(self, names: list[tuple[str, str]], how: str) -> None:
        """A commit, sent whole."""
        self.commit(names, how)
        self._send(self.service.publish(self.service.head))

    def deliver_all(self) -> None:
        """Everything arrives, in order."""
        while self.wire:
            self.deliver(0)

    def sync(self) -> None:
        """One that is due goes through at once."""
        if self.client.dirty:
            self.ask()
            self.answer()
            self.receive()

    def publish(self, back: int, cut: int) -> None:
        """A relay sends one of the newest releases, again perhaps, and may crash before the last messages of it."""
        release = self.service.history[max(0, len(self.service.history) - 1 - back)]
        messages = self.service.publish(release)
        self._send(messages[: len(messages) - cut] if cut < 3 else messages)

    def heartbeat(self) -> None:
        """A relay repeats the newest header."""
        self._send([self.service.header(self.service.head)])

    def _send(self, messages: list[Header | Part]) -> None:
        self.wire += messages
        self.sent += messages

    def deliver(self, index: int) -> None:
        """A message arrives, not always the oldest."""
        if index < len(self.wire):
            self.take(self.wire.pop(index))

    def lose(self, index: int) -> None:
        """A message is lost."""
        if index < len(self.wire):
            self.wire.pop(index)

    def replay(self, index: int) -> None:
        """Somebody sends again what was sent before, signature and all."""
        if self.sent:
            self.take(self.sent[index % len(self.sent)])

    def ask(self) -> None:
        """A sync begins, if none is in flight."""
        if self.asked is None:
            self.asked = self.client.asks()

    def crossing(self) -> None:
        """A sync whose answer is on its way while other things happen."""
        self.ask()
        self.answer()

    def answer(self) -> None:
        """The service answers it."""
        if self.asked is not None and self.answered is None:
            self.answered = self.service.answer(self.asked)

    def receive(self) -> None:
        """The answer arrives, however much later."""
        if self.answered is not None:
            answer, self.asked, self.answered = self.answered, None, None
            self.take(answer)

    def give_up(self) -> None:
        """It does not arrive in time."""
        self.asked = self.answered = None

    def doubt(self) -> None:
        """The subscription was renewed, or push was silent, or the process forked."""
        self.take(Doubt())

    def other_rights(self) -> None:
        """A grant changed."""
        self.service.view += 1

    def restore(self, revision: int) -> None:
        """The database is brought back as it was."""
        if revision < len(self.service.history):
            self.service.restore(revision)

    def settle(self) -> None:
        """From here on everything works: heartbeats come, and a sync that is due is made."""
        self.give_up()
        for _ in range(3):
            self.heartbeat()
            self.take(self.wire.pop())
            if self.client.dirty:
                self.take(self.service.answer(self.client.asks()))


def _mine(values: Values) -> dict[Any, int]:
    return {name: value for name, value in values.items() if name[0] in MINE}


@settings(max_examples=500, deadline=None)
@given(st.booleans(), steps)
def test_any_history(loaded: bool, history: list[tuple[Any, ...]]) -> None:
    """Every state shown is the exact state of one release, forward within one history; in the end it is the newest."""
    world = _loaded() if loaded else World()
    for name, *arguments in history:
        getattr(world, name)(*arguments)
    world.settle()
    assert world.client.table.cursor == world.service.head.cursor
    assert values_of(world.client.table) == _mine(world.service.head.values)
    assert not world.client.dirty


def _loaded() -> World:
    world = World()
    world.commit([NAMES[0]], "v")
    world.take(world.service.answer(world.client.asks()))
    return world


def test_push_alone_keeps_up() -> None:
    """With every message delivered in order, no sync is ever due again."""
    world = _loaded()
    for name in NAMES * 3:
        world.commit([name], "v")
        for message in world.service.publish(world.service.head):
            world.take(message)
        assert not world.client.dirty
        assert world.client.table.cursor == world.service.head.cursor


def test_one_lost_message_under_a_storm_takes_one_sync() -> None:
    """Releases that pass while the sync is under way are held, and applied right after its answer."""
    world = _loaded()
    world.commit([NAMES[0]], "v")  # its messages are lost
    for number in range(50):
        world.commit([NAMES[0], NAMES[2]], "v")
        for message in world.service.publish(world.service.head):
            world.take(message)
        if number == 10:
            world.ask()
            world.answer()
        assert world.client.dirty
    world.receive()
    assert world.client.table.cursor == world.service.head.cursor
    assert not world.client.dirty


def test_a_storm_without_a_sync_stays_within_bounds() -> None:
    """However many releases cannot be applied, what is held stays bounded in number and bytes."""
    world = _loaded()
    world.commit([NAMES[0]], "v")  # its messages are lost
    for _ in range(1100):
        world.commit([NAMES[0]], "v")
        for message in world.service.publish(world.service.head):
            world.take(message)
    assert len(world.client.hold) <= 1024
    big = [Part("production", "mine", 2000 + n, f"{2000 + n}.x", {}, size=100 * 1024) for n in range(60)]
    for part in big:
        world.take(part)
    assert sum(held.size for held in world.client.hold.values()) <= 4 * 1024 * 1024
    world.settle()
    assert world.client.table.cursor == world.service.head.cursor
