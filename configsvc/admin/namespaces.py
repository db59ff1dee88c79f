"""A namespace: all its settings, environments side by side."""

from collections.abc import Sequence
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

    @property
    def odd(self) -> Sequence[bool]:
        """Whether each cell differs from the first; of secrets only whether there is one."""
        if self.compared.same is not False:
            return [False] * len(self.cells)
        texts = [cell is None for cell in self.cells] if self.compared.key["secret"] else self.cells
        return [text != texts[0] for text in texts]

    def has(self, query: str) -> bool:
        """Tell whether name, description or a value holds the text, whatever its case."""
        texts = (self.compared.key["name"], self.compared.key["description"], *(cell or "" for cell in self.cells))
        return any(query in text.lower() for text in texts)


def add(routes: Blueprint, catalog: Catalog, comparisons: Comparisons) -> None:
    """Add the page."""

    @routes.get("/namespaces/<namespace>", endpoint="namespace")
    def show(namespace: str) -> str:
        who = caller()
        readable = _readable(catalog, who, namespace)
        chosen = [row for row in readable if row["name"] in request.args.getlist("env")] or list(readable)
        query = request.args.get("q", "")[:_QUERY_CHARACTERS_MAX]
        differing = "differs" in request.args
        comparison = comparisons.compare(who, namespace, [row["name"] for row in chosen[:ENVS_MAX]])
        lines = [Line(compared, [_cell(compared, row) for row in compared.rows]) for compared in comparison.keys]
        found = [
            line
            for line in lines
            if line.has(query.strip().lower()) and not (differing and line.compared.same is not False)
        ]
        return render_template(
            "namespace.html",
            namespace=namespace,
            base=url_for("ui.namespace", namespace=namespace) + "/",
            envs=chosen[:ENVS_MAX],
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
