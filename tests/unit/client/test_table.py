"""The table that getters read: a change lays it out as if it had been made anew."""

from hypothesis import given
from hypothesis import strategies as st

from configclient._table import MISSING, TYPES, Changes, Entry, Table

NAMES = st.tuples(st.just("shop"), st.sampled_from("abc"))
#: With a type that this client does not know, and secrets that it may not read.
ENTRIES = st.builds(
    Entry, st.sampled_from([*TYPES, "duration"]), st.sampled_from([1, 2, MISSING]), st.integers(1, 3), st.booleans()
)
CHANGES = st.dictionaries(NAMES, st.none() | ENTRIES, max_size=3)


def columns(table: Table) -> list[object]:
    """All that can be read of it."""
    return [table.entries, table.values, table.strings, table.ints, table.floats, table.bools, table.jsons]


@given(st.lists(CHANGES, min_size=1, max_size=5))
def test_changes_on_top_are_as_made_anew(releases: list[Changes]) -> None:
    """Values, types and secrets come, change and go; no column keeps what another one has now. The old table stays."""
    table, all_of_it = Table.of(0, None, {}), dict[tuple[str, str], Entry | None]()
    for revision, changes in enumerate(releases, 1):
        before, shown = table, [dict(column) for column in columns(table)]  # type: ignore[call-overload]
        table, all_of_it = table.overlay(revision, "cursor", changes), {**all_of_it, **changes}
        assert columns(table) == columns(Table.of(revision, "cursor", all_of_it))
        assert columns(before) == shown
