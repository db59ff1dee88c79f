"""CONFIGSVC_KEYS becomes a provider, or one line that says what is missing."""

import sys
from pathlib import Path

import pytest

from configsvc.crypto.providers import local, open_provider
from configsvc.errors import SetupError


def test_a_key_file_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only other providers need may be missing."""
    for package in ("boto3", "botocore", "hvac", "requests"):
        monkeypatch.setitem(sys.modules, package, None)
    local.create(tmp_path / "keys.json")
    assert repr(open_provider(f"file:{tmp_path}/keys.json")) == f"LocalKeys('{tmp_path}/keys.json')"


@pytest.mark.parametrize(
    ("package", "address", "extra"),
    [
        ("boto3", "aws-kms:alias/configsvc?region=eu-central-1", "aws-kms"),
        ("hvac", "vault-transit:https://vault:8200/transit/configsvc", "vault"),
    ],
)
def test_a_missing_extra_is_named(package: str, address: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the command that installs it."""
    module = "configsvc.crypto.providers." + address.partition(":")[0].replace("-", "_")
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SetupError, match=rf"pip install 'configsvc\[{extra}\]'$"):
        open_provider(address)


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the setting nor AWS's own says where the key is: nothing starts."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SetupError, match="aws-kms can't be used: You must specify a region"):
        open_provider("aws-kms:alias/configsvc")
