"""The table that getters read: a change lays it out as if it had been made anew."""

from hypothesis import given
from hypothesis import strategies as st

from configclient._getters import Rules, Snapshot
from configclient._table import MISSING, Changes, Entry, Table

NAMES = st.tuples(st.just("shop"), st.sampled_from("abc"))
ENTRIES = st.builds(Entry, st.sampled_from(["int", "json"]), st.sampled_from([1, 2]), st.integers(1, 3), st.booleans())
UNREADABLE = st.builds(Entry, st.just("int"), st.just(MISSING), st.integers(1, 3), st.just(True))
CHANGES = st.dictionaries(NAMES, st.none() | ENTRIES | UNREADABLE, max_size=3)


@given(st.lists(CHANGES, min_size=1, max_size=5))
def test_changes_on_top_are_as_made_anew(releases: list[Changes]) -> None:
    """Values, types and secrets come, change and go. The old table stays."""
    table, all_of_it = Table.of(0, None, {}), dict[tuple[str, str], Entry | None]()
    for revision, changes in enumerate(releases, 1):
        before, shown = table, dict(table.entries)
        table, all_of_it = table.overlay(revision, "cursor", changes), {**all_of_it, **changes}
        assert table.entries == Table.of(revision, "cursor", all_of_it).entries
        assert before.entries == shown


@given(CHANGES, CHANGES)
def test_what_differs(one: Changes, other: Changes) -> None:
    """Names that only one table has, and those that both have with different entries."""
    before, after = Table.of(1, "1.a", one), Table.of(2, "2.b", other)
    names = before.entries.keys() | after.entries.keys()
    differing = {name for name in names if before.entries.get(name) != after.entries.get(name)}
    assert before.differing(after) == after.differing(before) == differing


def test_a_type_that_is_not_known_yet_can_be_read_without_one() -> None:
    """`get` gives the value; to the typed getters it is of another type."""
    snapshot = Snapshot(Table.of(1, "1.a", {("shop", "a"): Entry("duration", "5 s", 1)}), Rules(strict=False))
    assert (snapshot.get("shop", "a"), snapshot.get_str("shop", "a", "default")) == ("5 s", "default")
