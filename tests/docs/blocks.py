"""Finds the code blocks of a page of Markdown, and what the page says about them in comments that readers don't see.

A fenced block has a language, and perhaps a file name after it. ``<!-- not run: REASON -->`` before a block says why
nobody can run it. A comment that begins with a language is a block that is run and not shown: what has to be there
before, or a look at what came of it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
_HIDDEN = re.compile(r"<!-- ?(sh|python)\n(.*)^-->", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block, which begins at a line counted from 1. An indented one has no language, and most have no file: ""."""

    page: Path
    line: int
    language: str
    file: str
    text: str
    not_run: str = ""


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page in their order, hidden ones too."""
    found: list[Block] = []
    reason = ""
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            marker, hidden = _NOT_RUN.match(token.content), _HIDDEN.match(token.content)
            reason = marker[1] if marker else ""
            if hidden:
                found.append(Block(page, line, hidden[1], "", hidden[2]))
        elif token.type in ("fence", "code_block"):
            language, _, file = token.info.strip().partition(" ")
            found.append(Block(page, line, language, file, token.content, reason))
            reason = ""
    return found
