"""Names and cursors: the same rules as the database's constraints and docs/protocol.md."""

from collections.abc import Callable

import pytest

from configsvc.domain import cursors, names
from configsvc.errors import ValidationFailed

GOOD = [
    (names.check_env, ["a", "production", "0", "eu-west_1", "x" * 20]),
    (names.check_namespace, ["a", "payments", "team.payments-v2_x", "9", "n" * 100]),
    (names.check_key, ["a", "A", "rate_limit", "db.pool:max-Size", "0", "k" * 200]),
]
BAD = [
    (names.check_env, ["", "A", "-a", "_a", "a.b", "x" * 21, "é", "a\n", "a b", "\0"]),
    (names.check_namespace, ["", "A", ".a", "-a", "a:b", "a/b", "n" * 101, "a\n", "global ", "\uff41", "\u0663"]),
    (names.check_key, ["", ".a", ":a", "-a", "a/b", "a b", "k" * 201, "a\n", "\0", "é", "a%"]),
]


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, many in GOOD for name in many])
def test_a_good_name_passes(check: Callable[[str], str], name: str) -> None:
    """Unchanged."""
    assert check(name) == name


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, many in BAD for name in many])
def test_a_bad_name_is_refused_with_the_rule(check: Callable[[str], str], name: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ValidationFailed, match="must be 1 to"):
        check(name)


def test_the_field_is_the_callers() -> None:
    """So that a request's error points into the request."""
    with pytest.raises(ValidationFailed) as caught:
        names.check_key("", "changes[2].key")
    assert caught.value.extra["errors"] == [{"field": "changes[2].key", "message": f"must be {names.KEY_RULE}"}]


def test_a_cursor_names_revision_and_history() -> None:
    """The revision, and the first 16 hex digits of the chain hash."""
    cursor = cursors.render(46, bytes.fromhex("9f3a5c0d1e2b4f60") + b"\xff" * 24)
    assert cursor == "46.9f3a5c0d1e2b4f60"
    assert cursors.revision_of(cursor) == 46
    assert cursors.revision_of("0.0000000000000000") == 0


@pytest.mark.parametrize(
    "text",
    ["", "46", "46.", "46.9f3a", "046.9f3a5c0d1e2b4f60", "-1.9f3a5c0d1e2b4f60", "46.9F3A5C0D1E2B4F60",
     "46.9f3a5c0d1e2b4f60\n", "\u0664.9f3a5c0d1e2b4f60", "1" * 19 + ".9f3a5c0d1e2b4f60", "46.9f3a5c0d1e2b4f600"],
)  # fmt: skip
def test_what_is_no_cursor_names_no_revision(text: str) -> None:
    """It is not in any history, and no error either."""
    assert cursors.revision_of(text) is None
