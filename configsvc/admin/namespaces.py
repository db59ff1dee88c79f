"""A namespace: all its settings, environments side by side."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for

from configsvc.admin.guard import caller, session_id
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


def add(routes: Blueprint, catalog: Catalog, comparisons: Comparisons, drafts: Drafts) -> None:
    """Add the page."""

    @routes.get("/namespaces/<namespace>", endpoint="namespace")
    def show(namespace: str) -> str:
        who = caller()
        readable = _readable(catalog, who, namespace)
        chosen = [row for row in readable if row["name"] in request.args.getlist("env")]
        envs = (chosen or readable)[:ENVS_MAX]
        query = request.args.get("q", "")[:_QUERY_CHARACTERS_MAX]
        differing = "differs" in request.args
        comparison = comparisons.compare(who, namespace, [row["name"] for row in envs])
        lines = [Line(compared, [_cell(compared, row) for row in compared.rows]) for compared in comparison.keys]
        found = [
            line
            for line in lines
            if line.has(query.strip().lower()) and not (differing and line.compared.same is not False)
        ]
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


def _readable(catalog: Catalog, who: Caller, namespace: str) -> Sequence[Row]:
    """Return the environments in which the caller may read a namespace; NotFound where there is none."""
    envs = [row for row in catalog.environments(who) if who.may(Action.READ, namespace, row["name"])]
    if not envs:
        raise not_found(namespace, None)
    return envs


def _columns(namespace: str, envs: Sequence[Row], drafted: Collection[tuple[str, str]]) -> list[Column]:
    address = url_for("ui.namespace", namespace=namespace)
    return [Column(f"{address}/{row['name']}/", {name for env, name in drafted if env == row["name"]}) for row in envs]


def _cell(compared: Compared, row: Row | None) -> str | None:
    if row is None:
        return None
    return f"•••• {row['fingerprint']}" if row["fingerprint"] is not None else shown(row["value"], compared.key["type"])
