"""Who follows the settings of an environment now, and what each of them shows."""

from flask import Blueprint, render_template, request

from configsvc.admin.guard import caller
from configsvc.service.catalog import Catalog
from configsvc.service.watchers import Watchers


def add(routes: Blueprint, catalog: Catalog, watchers: Watchers) -> None:
    """Add the page."""

    @routes.get("/envs/<env>/watchers", endpoint="watchers")
    def show(env: str) -> str:
        who, namespace = caller(), request.args.get("namespace") or None
        return render_template(
            "watchers.html",
            env=env,
            envs=catalog.environments(who),
            namespace=namespace,
            clients=watchers.live(who, env, namespace),
        )
