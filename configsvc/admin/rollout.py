"""How far a release has come: who has it, who doesn't yet, and who refused it. The page follows by itself."""

from flask import Blueprint, render_template

from configsvc.admin.guard import again, caller
from configsvc.admin.paging import number
from configsvc.service.convergence import Convergence
from configsvc.service.sessions import Sessions

#: What the service measures, by its name there.
_TIMES = {"p50_s": "half of them", "p99_s": "99 %", "all_s": "all of them"}


def add(routes: Blueprint, convergence: Convergence, sessions: Sessions) -> None:
    """Add the page."""

    @routes.get("/envs/<env>/releases/<revision>/rollout", endpoint="rollout")
    def show(env: str, revision: str) -> str:
        release = number(revision)
        standing = convergence.standing(caller(), again(sessions), env, release, 0)
        reached = {said: standing.times[name] for name, said in _TIMES.items()}
        return render_template("rollout.html", env=env, revision=release, standing=standing, reached=reached)
