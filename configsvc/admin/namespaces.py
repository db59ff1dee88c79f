"""A namespace: all its settings, environments side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for

from configsvc.admin.guard import caller
from configsvc.admin.rendering import shown
from configsvc.domain.policy import Action
from configsvc.service.access import Caller, not_found
from configsvc.service.catalog import Catalog
from configsvc.service.comparisons import Compared, Comparisons
from configsvc.store.database import Row

#: Beside each other on one page; the others are chosen.
ENVS_MAX = 5
_QUERY_CHARACTERS_MAX = 200


@dataclass(frozen=True)
class Line:
    """One key of the table: what it is in each environment, as text (None: unset), and whether that is the same."""

    compared: Compared
    cells: Sequence[str | None]

    def cells_in(self, addresses: Sequence[str]) -> Iterator[tuple[str, str | None, bool]]:
        """Yield each cell, with its environment's address and whether it differs from the first one.

        Of secrets it is told only where there is one.
        """
        texts = [cell is None for cell in self.cells] if self.compared.key["secret"] else self.cells
        differs = self.compared.same is False
        for address, cell, text in zip(addresses, self.cells, texts, strict=True):
            yield address, cell, differs and text != texts[0]

    def has(self, query: str) -> bool:
        """Tell whether name, description or a value holds the text, whatever its case."""
        if not query:
            return True
        texts = (self.compared.key["name"], self.compared.key["description"], *(cell or "" for cell in self.cells))
        return any(query in text.lower() for text in texts)


def add(routes: Blueprint, catalog: Catalog, comparisons: Comparisons) -> None:
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
            addresses=[f"{url_for('ui.namespace', namespace=namespace)}/{row['name']}/" for row in envs],
            envs=envs,
            readable=readable,
            lines=found,
            total=len(lines),
            query=query,
            differing=differing,
        )


def _readable(catalog: Catalog, who: Caller, namespace: str) -> Sequence[Row]:
    """Return the environments in which the caller may read a namespace; NotFound where there is none."""
    envs = [row for row in catalog.environments(who) if who.may(Action.READ, namespace, row["name"])]
    if not envs:
        raise not_found(namespace, None)
    return envs


def _cell(compared: Compared, row: Row | None) -> str | None:
    if row is None:
        return None
    return f"•••• {row['fingerprint']}" if row["fingerprint"] is not None else shown(row["value"], compared.key["type"])
