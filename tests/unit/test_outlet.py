"""A connection that has left its request: what is sent to a slow, a stuck and a gone reader."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import gevent
import gevent.socket
import pytest

from configsvc import gunicorn_outlet
from configsvc.gunicorn_outlet import Outlet

BIG = b"x" * 400_000


@pytest.fixture
def pair() -> Iterator[Callable[..., tuple[Outlet, gevent.socket.socket]]]:
    """Make an outlet, and the other end of its connection."""
    ends = []

    def make(*, chunked: bool = True) -> tuple[Outlet, gevent.socket.socket]:
        ours, theirs = socket.socketpair()
        ends.append(gevent.socket.socket(fileno=theirs.detach()))
        return Outlet(ours.detach(), chunked=chunked), ends[-1]

    yield make
    for end in ends:
        end.close()


def read(end: gevent.socket.socket) -> bytes:
    """All that comes until the end."""
    return b"".join(iter(lambda: end.recv(65_536), b""))


def chunk(data: bytes) -> bytes:
    """As HTTP/1.1 frames it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_slow_reader_gets_all_in_order(
    pair: Callable[..., tuple[Outlet, gevent.socket.socket]], chunked: bool
) -> None:
    """Sending returns at once though nothing is taken; later everything is there, and the end after it."""
    outlet, end = pair(chunked=chunked)
    sent = [BIG, b"a", BIG, b"b"]
    assert all(map(outlet.send, sent))
    outlet.close()
    assert not outlet.send(b"late")
    assert read(end) == (b"".join(map(chunk, sent)) + b"0\r\n\r\n" if chunked else b"".join(sent))


def test_a_reader_far_behind_is_cut(pair: Callable[..., tuple[Outlet, gevent.socket.socket]]) -> None:
    """Not before a MiB waits for it; it does not see the end that a whole answer has."""
    outlet, end = pair()
    count = 0
    while outlet.send(BIG):
        count += 1
    assert count * len(BIG) >= gunicorn_outlet.UNSENT_BYTES_MAX
    assert not outlet.send(b"more")
    assert not read(end).endswith(b"0\r\n\r\n")


def test_one_thing_may_be_of_any_size(pair: Callable[..., tuple[Outlet, gevent.socket.socket]]) -> None:
    """A first state of many MiB is no reason to be cut."""
    outlet, end = pair()
    big = BIG * 10
    assert outlet.send(big)
    outlet.close()
    assert read(end) == chunk(big) + b"0\r\n\r\n"


def test_who_takes_nothing_for_long_is_cut(
    pair: Callable[..., tuple[Outlet, gevent.socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And forgotten: what was kept for it is freed, and its place with it."""
    monkeypatch.setattr(gunicorn_outlet, "STALLED_S", 0.01)
    before = Outlet.open_count
    outlet, _ = pair()
    assert outlet.send(BIG)
    with gevent.Timeout(10):
        while outlet.send(b"more") or Outlet.open_count > before:
            gevent.sleep(0.005)


def test_who_is_gone_is_noticed(pair: Callable[..., tuple[Outlet, gevent.socket.socket]]) -> None:
    """When something is sent: nobody waits for an answer to it."""
    outlet, end = pair()
    end.close()
    assert not outlet.send(b"a")
    outlet.close()
    with closing(socket.socket()) as other:  # the number of its file is somebody else's now
        outlet.close()
        assert other.fileno() >= 0
