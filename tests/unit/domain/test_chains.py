"""What a hash covers, as text: the very characters that Postgres puts together."""

import json

from configsvc.domain.chains import Change, Event, Findings, Release, audit_content, release_content, walk_environment

RELEASE = Release(7, b"", "edit", 'a "note"\n', ["payments", "search"], "alice", 1_700_000_000_000_001, None)
EVENT = Event(9, None, None, "token.create", "alice", "r-1", "::1", [], '{"a": 1}', 1_700_000_000_000_001, b"")


def _change(key: str, value: str | None) -> Change:
    return Change(7, "payments", key, "json", 3, value, None, None, value is None, True, "alice", 0)


def test_a_release_is_an_array_in_which_the_changes_stand_without_spaces() -> None:
    """As json_build_array and to_json write it."""
    changes = [_change("a", '"x"'), _change("b", None)]
    assert release_content("production", RELEASE, changes) == (
        r'["configsvc/release/v1", "production", 7, "edit", "a \"note\"\n", "alice", 1700000000000001, '
        r'[["payments", "a", "json", 3, "\"x\""],["payments", "b", "json", 3, null]]]'
    )


def test_a_review_stands_at_the_end_only_where_there_is_one() -> None:
    """Releases of before there were reviews keep their hashes."""
    reviewed = RELEASE._replace(review='{"break_glass": "fire"}')
    assert release_content("e", reviewed, []).endswith(', 1700000000000001, [], {"break_glass": "fire"}]')
    assert release_content("e", RELEASE, []).endswith(", 1700000000000001, []]")


def test_an_event_holds_its_details_as_they_are_stored() -> None:
    """What is not about an environment has null there."""
    assert audit_content("", EVENT) == (
        '["configsvc/audit/v1", "", null, null, "token.create", "alice", "r-1", "::1", [], {"a": 1}, 1700000000000001]'
    )
    about = EVENT._replace(env="production", revision=4, namespaces=["a", "b"])
    assert audit_content("production", about).startswith('["configsvc/audit/v1", "production", "production", 4, ')
    assert ', ["a","b"], {"a": 1}, ' in audit_content("production", about)


def test_only_the_first_fault_of_a_chain_is_named() -> None:
    """One altered row breaks no more than itself and its follower, and both would be noise."""
    findings = Findings("production")
    releases = [RELEASE._replace(revision=revision, hash=bytes(32)) for revision in range(5)]
    walk_environment(findings, 4, releases, [], [])
    assert findings.lines == ["production: release 1: its content does not match its hash"]
    assert not findings.intact


def test_details_too_deep_to_read_are_a_fault_and_no_crash() -> None:
    """Whoever forges rows may put anything there."""
    deep = "[" * 100_000 + "]" * 100_000
    event = EVENT._replace(
        action="release.edit", revision=1, env="e", details=json.dumps({"a": 1})[:-1] + f', "b": {deep}}}'
    )
    findings = Findings("e")
    walk_environment(findings, 1, [RELEASE._replace(revision=1)], [], [event])
    assert findings.lines
