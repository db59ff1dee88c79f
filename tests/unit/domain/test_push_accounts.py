"""The template of the clients' addresses, and the rules of an account."""

import pytest

from configsvc.domain import push_accounts

TEMPLATE = "rediss://client-{env}.eu:{password}@redis.example:6380/0"


def test_an_environments_account() -> None:
    """Its address, its name, and its rules: listening to its own channels with any of its passwords."""
    assert push_accounts.url(TEMPLATE, "qa_2", "5ec2e7") == "rediss://client-qa_2.eu:5ec2e7@redis.example:6380/0"
    assert push_accounts.account(TEMPLATE, "qa_2") == "client-qa_2.eu"
    assert " ".join(push_accounts.rules("qa_2", ["aa", "bb"])) == (
        "reset on #aa #bb resetchannels &config:changes:*:qa_2 &config:releases:qa_2"
        " -@all +subscribe +unsubscribe +ping"
    )


@pytest.mark.parametrize("url", ["redis://all:secret@redis:6379/0", "redis://redis", "unix:///run/redis.sock"])
def test_an_address_without_placeholders_is_everybodys(url: str) -> None:
    """One account for the clients of all environments."""
    assert push_accounts.check_template(url) == url
    assert not push_accounts.is_template(url)


@pytest.mark.parametrize("url", [TEMPLATE, "redis://{env}_c:{password}@r", "unix://c{env}:{password}@/run/r.sock"])
def test_a_template_names_environment_and_password(url: str) -> None:
    """The first in the user's name, the second as the password."""
    assert push_accounts.check_template(url) == url
    assert push_accounts.is_template(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://client-{env}:hunter2@redis",
        "redis://client:{password}@redis",
        "redis://client-{env}:{password}x@redis",
        "redis://client-{env}:{password}@{env}.redis",
        "redis://client-{env}-{env}:{password}@redis",
        "redis://client-{env}:{password}@redis/{db}",
        "redis://client-{namespace}:{password}@redis",
        "redis://client%7B{env}:{password}@redis",
        "redis://client {env}:{password}@redis",
        "redis://client-{{env}}:{password}@redis",
        "redis://client:hunter2{@redis",
        "redis://{password}:{env}@redis",
    ],
)
def test_other_placeholders_are_refused(url: str) -> None:
    """With what is right, and without what was said."""
    with pytest.raises(ValueError, match=r"may hold \{env\} .* \{password\}") as caught:
        push_accounts.check_template(url)
    assert "hunter2" not in str(caught.value)


def test_an_environment_must_not_become_another_account() -> None:
    """A name that is only the environment's could be any account's, so it is refused."""
    with pytest.raises(ValueError, match=r"more than \{env\}"):
        push_accounts.check_template("redis://{env}:{password}@redis")


@pytest.mark.parametrize(
    ("user", "named"),
    [
        ("client-production.eu", True),
        ("client-.eu", False),
        ("client-Production.eu", False),
        ("client-production", False),
        ("client-productionxeu", False),
        ("default", False),
    ],
)
def test_which_accounts_could_be_an_environments(user: str, *, named: bool) -> None:
    """Those that the template gives for a possible environment."""
    assert push_accounts.names(TEMPLATE, user) is named
