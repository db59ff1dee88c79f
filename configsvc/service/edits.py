"""The values of a write: checked against their keys, and what shows of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from configsvc.domain import schemas, values
from configsvc.domain.releases import Edit
from configsvc.errors import NotFound, RequestError, ValidationFailed
from configsvc.service import answers
from configsvc.store.database import Row
from configsvc.store.secrets import Kept

#: Problems named in one answer; more would not help anybody.
ERRORS_MAX = 20


@dataclass(frozen=True)
class Values:
    """What a release writes, beside its edits: canonical texts (None deletes), or secrets; empty without any."""

    texts: Sequence[str | None] = field(repr=False)
    secrets: Sequence[Kept | None]

    def shown(self, dry_run: bool) -> Sequence[Mapping[str, object] | None]:
        """Return what shows of each secret. What is only tried has no fingerprint: it would make guessing free."""
        if not self.secrets:
            return [None] * len(self.texts)
        return [answers.secret(None if dry_run else secret.fingerprint) if secret else None for secret in self.secrets]


def value_texts(edits: Sequence[Edit], resolved: Sequence[Row]) -> list[str | None]:
    """Return the canonical texts of the edits' values, None for a delete and for what points to a secret.

    What points to a secret keeps its value as it was checked when it was written: nothing is opened here.

    Raises:
        ValidationFailed: a value is not of its key's type, or breaks its schema; each is named.
    """
    texts: list[str | None] = []
    errors = []
    checks = schemas.Checks()
    for edit, row in zip(edits, resolved, strict=True):
        text = None
        if edit.secret is not None:
            if edit.secret.type != row["type"]:
                errors.append((edit.at("value"), f"was a {edit.secret.type}, and the key's type is {row['type']} now"))
        elif not edit.delete:
            try:
                text = values.to_text(row["type"], edit.value)
            except ValueError as error:
                errors.append((edit.at("value"), str(error)))
            else:
                if row["schema"] and (problem := checks.problem(row["schema"], edit.value)):
                    errors.append((edit.at("value"), f"breaks the key's schema: {problem}"))
        texts.append(text)
    if errors:
        raise ValidationFailed(errors[:ERRORS_MAX])
    return texts


def undeclared(edits: Sequence[Edit]) -> RequestError:
    """Return the error that says which keys are not declared, and how to declare them."""
    if not edits[0].field:  # the path named it, not the body
        return NotFound(
            f"there is no key {edits[0].key} declared in {edits[0].namespace}: declare it, "
            'or send its "type" along with a PUT'
        )
    return ValidationFailed(
        [
            (edit.at("key"), f"{edit.key} is not declared: POST it to /v1/namespaces/{edit.namespace}/keys first")
            for edit in edits[:ERRORS_MAX]
        ]
    )
