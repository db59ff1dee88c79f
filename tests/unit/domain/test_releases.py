"""Edits before they are committed, and the plans that put an earlier state back."""

from uuid import uuid4

import pytest

from configsvc.domain.releases import Edit, SecretRef, check, restore, to_state, undo
from configsvc.errors import Conflict, ValidationFailed


def row(name: str, *, before: str | None, last: int = 7, deleted: bool = False) -> dict[str, object]:
    """One change of release 7, as history tells it."""
    return {
        "namespace": "payments",
        "name": name,
        "key_deleted": deleted,
        "last_revision": last,
        "type": "int",
        "before_value": before,
        "before_value_id": None,
        "before_fingerprint": None,
    }


def state(text: str | None) -> Edit:
    """The edit that makes a key what a row of history says."""
    return to_state("payments", "a", {"type": "json", "value": text, "value_id": None, "fingerprint": None})


def test_edits_of_different_keys_pass() -> None:
    """The same key in two namespaces, and names that differ in their case, are different keys."""
    check([])
    check([Edit("payments", "a"), Edit("search", "a"), Edit("payments", "A")])


def test_a_key_stands_once_in_a_release() -> None:
    """Twice the same key, to set or to delete, is refused, and the second place is named."""
    for second in (
        Edit("payments", "a", 2, field="changes[1]"),
        Edit("payments", "a", delete=True, field="changes[1]"),
    ):
        with pytest.raises(ValidationFailed) as caught:
            check([Edit("payments", "a", 1, field="changes[0]"), second])
        assert caught.value.extra["errors"] == [
            {"field": "changes[1].key", "message": "payments/a stands twice in one release"}
        ]


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (Edit("Payments", "a", field="changes[3]"), "changes[3].namespace"),
        (Edit("payments", "a b", field="changes[3]"), "changes[3].key"),
        (Edit("payments", "a\n"), "key"),
        (Edit("", "a"), "namespace"),
        (Edit("payments", ""), "key"),
        (Edit("payments", "\u0430"), "key"),
    ],
)
def test_impossible_names_are_refused_where_they_stand(edit: Edit, field: str) -> None:
    """The field is the path in the request, or the bare part where the address named it."""
    with pytest.raises(ValidationFailed) as caught:
        check([edit])
    assert [error["field"] for error in caught.value.extra["errors"]] == [field]  # type: ignore[index, attr-defined]


def test_a_stored_text_becomes_an_edit() -> None:
    """A text is the value again, without loss; none is a delete; a JSON null is a value."""
    assert repr(state("-0.0").value) == "-0.0"
    assert state('{"z":1,"a":[1.0]}').value == {"z": 1, "a": [1.0]}
    assert state(None).delete
    assert (state("null").value, state("null").delete) == (None, False)


def test_a_secret_is_pointed_to() -> None:
    """What a secret was comes back by its id, unopened; a name that was declared twice comes back as what it was."""
    ref = SecretRef(uuid4(), "1f9b", "string")
    secret = {"name": "a", "type": "string", "value": None, "value_id": ref.value_id, "fingerprint": ref.fingerprint}
    assert to_state("payments", "a", secret).secret == ref
    rows = [{f"from_{name}": value for name, value in secret.items()} | {"name": "a", "type": "string"}]
    rows.append({"name": "a", "type": "int", "from_value": None, "from_value_id": None, "from_fingerprint": None})
    for order in (rows, rows[::-1]):
        (edit,) = restore("payments", order)
        assert (edit.secret, edit.delete) == (ref, False)


def test_undo_puts_back_what_was_before() -> None:
    """Each key gets its value from before the release; one that had none is unset again."""
    edits = undo(7, [row("a", before="1"), row("b", before=None)])
    assert [(edit.key, edit.value, edit.delete) for edit in edits] == [("a", 1, False), ("b", None, True)]


def test_undo_names_everything_in_its_way() -> None:
    """Later changes of the same keys, and keys that are declared no more, are all named; nothing is half undone."""
    rows = [row("a", before="1"), row("b", before="2", last=9), row("c", before="3", deleted=True)]
    with pytest.raises(Conflict) as caught:
        undo(7, rows)
    assert caught.value.extra["conflicts"] == [
        {"namespace": "payments", "key": "b", "revision": 9},
        {"namespace": "payments", "key": "c", "revision": 7},
    ]
