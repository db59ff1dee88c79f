"""Settings, environments side by side: all of a namespace, and what is found in any of them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, render_template, request, url_for

from configsvc.admin.guard import caller, session_id
from configsvc.admin.paging import every_page
from configsvc.admin.rendering import shown
from configsvc.domain.policy import Action
from configsvc.service.access import Caller, not_found
from configsvc.service.catalog import Catalog
from configsvc.service.comparisons import Compared, Comparisons
from configsvc.service.drafts import Drafts
from configsvc.store.database import Row

#: Beside each other on one page; the others are chosen.
ENVS_MAX = 5
_QUERY_CHARACTERS_MAX = 200
#: Of a search through all namespaces: settings that are shown, and that are looked at.
_FOUND_MAX, _KEYS_MAX = 200, 20_000
#: What looking at a namespace counts as at least: it takes some ten look-ups, however few settings it has.
_NAMESPACE_KEYS = 100


@dataclass(frozen=True)
class Column:
    """An environment of the table: where its settings are, and which of them are in a draft."""

    address: str
    drafted: Collection[str]


@dataclass(frozen=True)
class Line:
    """One key of the table: what it is in each environment, as text (None: unset), and whether that is the same."""

    compared: Compared
    cells: Sequence[str | None]

    def cells_in(self, columns: Sequence[Column]) -> Iterator[tuple[str, str | None, str]]:
        """Yield each cell, with its environment's address and how it looks: as one that differs from the first one, or
        that a draft changes.

        Of secrets it is told only where there is one.
        """
        texts = [cell is None for cell in self.cells] if self.compared.key["secret"] else self.cells
        differs, name = self.compared.same is False, self.compared.key["name"]
        for column, cell, text in zip(columns, self.cells, texts, strict=True):
            looks = "drafted" if name in column.drafted else "odd" if differs and text != texts[0] else ""
            yield column.address, cell, looks

    def has(self, query: str) -> bool:
        """Tell whether name, description or a value holds the text, whatever its case."""
        if not query:
            return True
        texts = (self.compared.key["name"], self.compared.key["description"], *(cell or "" for cell in self.cells))
        return any(query in text.lower() for text in texts)


@dataclass(frozen=True)
class Found:
    """The settings of one namespace that hold what is looked for, and where its environments are."""

    namespace: str
    envs: Sequence[Row]
    columns: Sequence[Column]
    lines: Sequence[Line]


def add(routes: Blueprint, catalog: Catalog, comparisons: Comparisons, drafts: Drafts) -> None:
    """Add the pages."""

    @routes.get("/namespaces/<namespace>", endpoint="namespace")
    def show(namespace: str) -> str:
        who = caller()
        readable = _readable(who, catalog.environments(who), namespace)
        if not readable:
            raise not_found(namespace, None)
        chosen = [row for row in readable if row["name"] in request.args.getlist("env")]
        envs = (chosen or readable)[:ENVS_MAX]
        query, sought = _query()
        differing = "differs" in request.args
        lines = _lines(comparisons, who, namespace, envs)
        found = [line for line in lines if line.has(sought) and not (differing and line.compared.same is not False)]
        return render_template(
            "namespace.html",
            namespace=namespace,
            columns=_columns(namespace, envs, drafts.names(session_id(), namespace)),
            envs=envs,
            readable=readable,
            lines=found,
            total=len(lines),
            query=query,
            differing=differing,
            may_declare=who.may(Action.DECLARE, namespace, None),
        )

    @routes.get("/find", endpoint="find")
    def find() -> str:
        query, sought = _query()
        found, whole = _find(catalog, comparisons, drafts, sought) if sought else ([], True)
        count = sum(len(each.lines) for each in found)
        return render_template("find.html", query=query, sought=sought, found=found, whole=whole, count=count)


def _find(catalog: Catalog, comparisons: Comparisons, drafts: Drafts, sought: str) -> tuple[list[Found], bool]:
    """Return where something is, and whether all settings were looked at: it ends when enough was found, or seen."""
    who, envs = caller(), catalog.environments(caller())
    names = sorted(row["name"] for row in every_page(partial(catalog.namespaces, who)))
    found: list[Found] = []
    room, looks = _FOUND_MAX, _KEYS_MAX
    for namespace in names:
        if room <= 0 or looks <= 0:
            return found, False
        if not (columns := _readable(who, envs, namespace)[:ENVS_MAX]):
            continue
        lines = _lines(comparisons, who, namespace, columns)
        good = [line for line in lines if line.has(sought)]
        if good:
            drafted = drafts.names(session_id(), namespace)
            found.append(Found(namespace, columns, _columns(namespace, columns, drafted), good[:room]))
        room, looks = room - len(good), looks - max(len(lines), _NAMESPACE_KEYS)
    return found, room >= 0


def _query() -> tuple[str, str]:
    """Return what is looked for, as it was typed, and as it is compared."""
    query = request.args.get("q", "")[:_QUERY_CHARACTERS_MAX]
    return query, query.strip().lower()


def _lines(comparisons: Comparisons, who: Caller, namespace: str, envs: Sequence[Row]) -> list[Line]:
    comparison = comparisons.compare(who, namespace, [row["name"] for row in envs])
    return [Line(compared, [_cell(compared, row) for row in compared.rows]) for compared in comparison.keys]


def _readable(who: Caller, envs: Sequence[Row], namespace: str) -> Sequence[Row]:
    return [row for row in envs if who.may(Action.READ, namespace, row["name"])]


def _columns(namespace: str, envs: Sequence[Row], drafted: Collection[tuple[str, str]]) -> list[Column]:
    address = url_for("ui.namespace", namespace=namespace)
    return [Column(f"{address}/{row['name']}/", {name for env, name in drafted if env == row["name"]}) for row in envs]


def _cell(compared: Compared, row: Row | None) -> str | None:
    if row is None:
        return None
    return f"•••• {row['fingerprint']}" if row["fingerprint"] is not None else shown(row["value"], compared.key["type"])
