"""CONFIGSVC_KEYS: what it may say, and how it is refused."""

from pathlib import PurePosixPath

import pytest

from configsvc.domain.key_sources import FileKeys, KmsKeys, TransitKeys, parse

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("file:/etc/configsvc/keys.json", FileKeys(PurePosixPath("/etc/configsvc/keys.json"))),
        ("aws-kms:alias/configsvc", KmsKeys("alias/configsvc")),
        ("aws-kms:alias/configsvc?region=eu-central-1", KmsKeys("alias/configsvc", "eu-central-1")),
        (f"aws-kms:{ARN}", KmsKeys(ARN)),
        (
            "vault-transit:https://vault:8200/transit/configsvc",
            TransitKeys("https://vault:8200", "transit", "configsvc"),
        ),
        (
            "vault-transit:https://vault/team/a/transit/k?token_file=/run/token&namespace=admin",
            TransitKeys("https://vault", "team/a/transit", "k", PurePosixPath("/run/token"), "admin"),
        ),
        ("vault-transit:http://[::1]:8200/transit/k", TransitKeys("http://[::1]:8200", "transit", "k")),
    ],
)
def test_each_place_is_understood(text: str, meant: object) -> None:
    """A file, a key of KMS, a transit key."""
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no place for keys; it looks like file:/etc"),
        ("/etc/configsvc/keys.json", "names no place for keys"),
        ("gcp-kms:x", "names no place for keys"),
        ("file:keys.json", "whole path"),
        ("file:///etc/keys.json", "whole path"),
        ("file:/etc/configsvc/", "whole path"),
        ("aws-kms:", "names no key of AWS KMS"),
        ("aws-kms://key:hunter2@x", "names no key of AWS KMS"),
        ("aws-kms:alias/x?regoin=eu", "may have these options, each once and with a value: region"),
        ("aws-kms:alias/x?region=", "may have these options"),
        ("aws-kms:alias/x?region=a&region=b", "may have these options"),
        ("aws-kms:alias/x?hunter2", "options that can't be read"),
        ("vault-transit:https://vault:8200/transit", "names no transit key"),
        ("vault-transit:https://vault:hunter2/transit/k", "names no transit key"),
        ("vault-transit:https:///transit/k", "names no transit key"),
        ("vault-transit:https://[vault/transit/k", "names no transit key"),
        ("vault-transit:https://x:hunter2@vault/transit/k", "must hold no password"),
        ("vault-transit:http://vault:8200/transit/k", "by https"),
        ("vault-transit:https://vault/transit/k?token_file=token", "whole path"),
        ("vault-transit:https://vault/transit/k?token=hunter2", "may have these options.*namespace, token_file"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    """The message says what would be right, and repeats nothing: there may be a password in it."""
    with pytest.raises(ValueError, match=said) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)
