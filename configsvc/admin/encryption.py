"""Which keys the secrets are under, for admins; to look at alone."""

from flask import Blueprint, render_template

from configsvc.admin.guard import caller
from configsvc.service.encryption import Encryption


def add(routes: Blueprint, encryption: Encryption) -> None:
    """Add the page."""

    @routes.get("/encryption", endpoint="encryption")
    def show() -> str:
        return render_template("encryption.html", found=encryption.status(caller()))
