"""What may be called what (DESIGN.md §2). The database repeats these rules as constraints."""

import re

from configsvc.errors import ValidationFailed

TYPES = ("string", "int", "float", "bool", "json")

ENV = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
#: Of a grant: a namespace, or the beginning of several.
NAMESPACE_PATTERN = re.compile(rf"{NAMESPACE.pattern}|(?:[a-z0-9][a-z0-9._-]{{0,98}})?\*")

ENV_RULE = "1 to 20 characters: a-z, 0-9, '_' and '-', the first one a letter or a digit"
NAMESPACE_RULE = "1 to 100 characters: a-z, 0-9, '.', '_' and '-', the first one a letter or a digit"
KEY_RULE = "1 to 200 characters: A-Z, a-z, 0-9, '.', '_', ':' and '-', the first one a letter or a digit"
NAMESPACE_PATTERN_RULE = "a namespace, or the beginning of several with * at its end"


def check_env(name: str, field: str = "env") -> str:
    """Return ``name`` if it can name an environment; raise ValidationFailed with the rule if not."""
    return _check(ENV, name, field, ENV_RULE)


def check_namespace(name: str, field: str = "namespace") -> str:
    """Return ``name`` if it can name a namespace; raise ValidationFailed with the rule if not."""
    return _check(NAMESPACE, name, field, NAMESPACE_RULE)


def check_key(name: str, field: str = "key") -> str:
    """Return ``name`` if it can name a key; raise ValidationFailed with the rule if not."""
    return _check(KEY, name, field, KEY_RULE)


def _check(pattern: re.Pattern[str], name: str, field: str, rule: str) -> str:
    if not pattern.fullmatch(name):
        raise ValidationFailed([(field, f"must be {rule}")])
    return name
