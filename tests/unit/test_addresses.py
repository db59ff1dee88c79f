"""Callers' addresses, as peers and proxies write them."""

import pytest

from configsvc.api import addresses


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::7%eth0", "fe80::7"),
    ],
)
def test_ports_brackets_and_zones_are_left_out(written: str, address: str) -> None:
    """One address has one form, however it was written."""
    assert addresses.of({"REMOTE_ADDR": written}) == address


@pytest.mark.parametrize("written", ["unknown", "_hidden", "203.0.113.7, 10.0.0.1", "<script>", "1" * 5000, ""])
def test_what_is_no_address_is_not_taken(written: str) -> None:
    """A trusted proxy that writes something else leaves its own address; a Unix socket has none."""
    assert addresses.of({"REMOTE_ADDR": written}) == ""
    behind = {"REMOTE_ADDR": written, "werkzeug.proxy_fix.orig": {"REMOTE_ADDR": "10.0.0.1"}}
    assert addresses.of(behind) == "10.0.0.1"
