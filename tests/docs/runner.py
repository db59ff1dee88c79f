"""Runs the blocks of a page as a reader would: in their order, in one folder, against a running configsvc."""

import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from configclient import ConfigClient
from configsvc.dev.stack import Stack
from tests.docs.blocks import Block

TIMEOUT_S = 60
# After what a block has printed, and between the outputs of two commands of a console block.
END, SEPARATOR = "\x1d", "\x1e"


class Wrong(Exception):
    """A block doesn't do what the page says."""


class Page:
    """What the blocks of one page share: a folder, the names of its Python blocks, and the service."""

    def __init__(self, folder: Path, stack: Stack, data_dir: Path) -> None:
        self.folder = folder
        self._stack = stack
        self._names: dict[str, Any] = {"__name__": "page"}
        self._clients: set[ConfigClient] = set()
        (folder / ".dev").symlink_to(data_dir)
        self._shell = self._new_shell()

    def run(self, block: Block) -> None:
        """Run one block, or check what can be checked of it.

        Raises:
            Wrong: it fails, shows what doesn't come, or nobody has said how it is run.
        """
        if block.not_run:
            return
        way = self._ways().get(block.language)
        if way is None:
            known = ", ".join(sorted(self._ways()))
            raise Wrong(
                f"a block has to be fenced with a language that can be run ({known}), "
                "or have <!-- not run: why --> on the line before"
            )
        if block.file:
            self._save(block)
        way(block)

    def close(self) -> None:
        """End the shell, and the clients that blocks have left open."""
        self._end_shell()
        for client in self._clients:
            client.close()

    def _ways(self) -> Mapping[str, Callable[[Block], None]]:
        return {
            "python": self._python,
            "sh": self._script,
            "console": self._console,
            "http": self._http,
            "json": lambda block: _each_json(block.text),
            "yaml": lambda block: YAML(typ="safe").load(block.text),
        }

    def _save(self, block: Block) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _python(self, block: Block) -> None:
        if block.file:
            return  # a program: a later block starts it
        # Empty lines before it, so that a traceback names the lines of the page.
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        try:
            exec(code, self._names)
        finally:
            # Kept here, because a later block may give its name to another one.
            self._clients |= {value for value in self._names.values() if isinstance(value, ConfigClient)}

    def _script(self, block: Block) -> None:
        if not block.file:
            self._bash(block.text)

    def _console(self, block: Block) -> None:
        steps = _steps(block.text)
        script = f"\nprintf {shlex.quote(SEPARATOR)}\n".join(command for command, _ in steps)
        for (command, shown), printed in zip(steps, self._bash(script).split(SEPARATOR), strict=True):
            missing = first_missing(shown, printed)
            if missing:
                raise Wrong(f"{command}\ndoes not print\n{missing}\nbut\n{printed}")

    def _bash(self, script: str) -> str:
        """Run a script in the page's terminal; returns what it printed."""
        (self.folder / ".block").write_text(f"{script}\nprintf {shlex.quote(END)}\n", encoding="utf-8")
        self._shell.stdin.write(". ./.block </dev/null\n")
        self._shell.stdin.flush()
        printed = ""
        for character in iter(lambda: self._shell.stdout.read(1), ""):
            if character == END:
                return printed
            printed += character
        code = self._end_shell()
        self._shell = self._new_shell()
        raise Wrong(f"exit code {code}:\n{printed}")

    def _new_shell(self) -> subprocess.Popen[str]:
        """A terminal whose user has sourced .dev/env."""
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        shell.stdin.write(". .dev/env\n")
        return shell

    def _end_shell(self) -> int:
        self._shell.stdin.close()
        self._shell.stdout.close()
        return self._shell.wait(TIMEOUT_S)

    def _http(self, block: Block) -> None:
        head, status, answer = re.split(r"^(\d{3})\b", block.text, maxsplit=1, flags=re.MULTILINE)
        method, path, *body = head.split(maxsplit=2)
        request = urllib.request.Request(
            self._stack.url + path,
            body[0].encode() if body else None,
            {"Authorization": f"Bearer {self._stack.tokens['admin']}", "Content-Type": "application/json"},
            method=method,
        )
        got, content = _answer(request)
        if got != int(status):
            raise Wrong(f"{got} instead of {status}: {content.decode()}")
        for shown in _each_json(answer):
            differs = first_difference(shown, json.loads(content))
            if differs:
                raise Wrong(f"{differs}\nin {content.decode()}")


def first_missing(shown: list[str], printed: str) -> str:
    """The first line that is shown and not printed, in this order; "" if all are.

    Any number stands for any other, ``…`` for anything, and one space for several.
    """
    lines = iter(printed.splitlines())
    for line in shown:
        parts = re.split(r"(\d+|…|\s+)", line.strip())
        pattern = "".join(_loosely(part) for part in parts)
        if not any(re.fullmatch(pattern, candidate.strip()) for candidate in lines):
            return line
    return ""


def first_difference(shown: Any, sent: Any, place: str = "the answer") -> str:
    """Where a JSON value lacks something that the page shows, or has it in another kind; "" if nowhere.

    A member that is shown as ``<what it is>`` stands for any.
    """
    if shown is None or sent is None:
        return ""
    if isinstance(shown, dict) and isinstance(sent, dict):
        shown = {key: value for key, value in shown.items() if not key.startswith("<")}
        lacks = sorted(shown.keys() - sent.keys())
        if lacks:
            return f"{place} has no {', '.join(lacks)}"
        return next(filter(None, (first_difference(shown[key], sent[key], f"{place}.{key}") for key in shown)), "")
    if isinstance(shown, list) and isinstance(sent, list):
        return next(filter(None, (_unlike_all(each, sent, f"{place}[]") for each in shown)), "")
    alike = isinstance(sent, int | float) if isinstance(shown, int | float) else type(shown) is type(sent)
    return "" if alike else f"{place} is {sent!r}"


def _unlike_all(shown: Any, sent: list[Any], place: str) -> str:
    """How a shown element differs from the first of those that were sent; "" if it is like any, or there are none."""
    differences = [first_difference(shown, each, place) for each in sent]
    return "" if "" in differences or not differences else differences[0]


def _loosely(part: str) -> str:
    if part.isdigit():
        return r"\d+"
    if part == "…":
        return ".*"
    return r"\s+" if part.isspace() else re.escape(part)


def _steps(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, with the lines that are shown after each."""
    steps: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif not steps:
            raise Wrong('a console block begins with "$ " and a command')
        elif line.startswith("> "):
            command, shown = steps[-1]
            steps[-1] = (f"{command}\n{line[2:]}", shown)
        elif line.strip():
            steps[-1][1].append(line)
    return steps


def _each_json(text: str) -> list[Any]:
    """The JSON values of a text, one after the other."""
    values, rest = [], text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def _answer(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
