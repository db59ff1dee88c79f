"""Lists in pages, as the services give them: newest first, each page beginning below an id."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from configsvc.errors import NotFound

#: Where the first page begins: above every id.
BEGINNING = 10**18 - 1
#: Of a list on a page.
ITEMS = 50
_LIMIT = 500
_NUMBER = re.compile(r"[0-9]{1,18}")

Page = tuple[Sequence[Mapping[str, Any]], int | None]


def every_page(page: Callable[[int, int], Page]) -> Iterator[Mapping[str, Any]]:
    """Yield all items of a list."""
    before: int | None = BEGINNING
    while before is not None:
        items, before = page(before, _LIMIT)
        yield from items


def number(text: str | None, default: int = BEGINNING) -> int:
    """Return a number from an address.

    Raises:
        NotFound: it is none.
    """
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise NotFound("there is no such page")
    return int(text)
