"""How a worker reads and writes: who sends much at once keeps nobody waiting, who reads slowly gets all of it."""

import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import closing

import gevent
import gevent.socket
import pytest
from gunicorn.config import Config

from configsvc.gunicorn_worker import _Joining, _Parser, _Unreader

READS = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


class Others:
    """Whoever else the worker serves: they count the turns that they have."""

    def __init__(self) -> None:
        self.turns = 0

    def take_turns(self) -> None:
        """For ever."""
        while True:
            self.turns += 1
            gevent.sleep(0)


@pytest.fixture
def others() -> Iterator[Others]:
    """At work beside the test."""
    others = Others()
    beside = gevent.spawn(others.take_turns)
    yield others
    beside.kill()


def test_others_have_a_turn_before_each_read(others: Others) -> None:
    """Also where all of it is there already, as the next requests are of one who does not wait for answers."""
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(gevent.socket.socket(fileno=ours.detach())) as sock:
        theirs.sendall(b"x" * READS)
        unreader = _Unreader(sock, max_chunk=1)
        unreader.expect(10.0)
        for read in range(READS):
            before = others.turns
            assert unreader.chunk() == b"x"
            assert others.turns > before, read


def test_others_have_a_turn_before_each_request_that_came_with_another(others: Others) -> None:
    """Hundreds of them fit into what is read at once, and all would be answered before anybody else is."""
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(gevent.socket.socket(fileno=ours.detach())) as sock:
        theirs.sendall(REQUEST * READS)
        parser = _Parser(Config(), sock, ("127.0.0.1", 1))
        for request in range(READS):
            before = others.turns
            assert next(parser).path == "/"
            assert others.turns > before, request


def test_who_reads_slowly_has_no_body_of_their_own() -> None:
    """Thousands may read the same large body from memory."""
    ours, theirs = socket.socketpair()
    body = b"x" * 4_000_000
    with closing(theirs), closing(gevent.socket.socket(fileno=ours.detach())) as sock:
        answer = _Joining(sock)
        answer.sendall(HEAD)
        tracemalloc.start()
        sending = gevent.spawn(answer.sendall, body)
        gevent.sleep(0)
        taken_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert not sending.ready()
        sending.kill()
    assert taken_bytes < len(body) / 10


@pytest.mark.parametrize("body_bytes", [1, 4_000_000])
@pytest.mark.parametrize("head", [HEAD, HEAD * 20_000])
def test_a_head_and_its_body_come_whole_and_in_order(head: bytes, body_bytes: int) -> None:
    """Together, also where the reader takes only a part of them at once."""
    ours, theirs = socket.socketpair()
    body = b"x" * body_bytes
    with closing(gevent.socket.socket(fileno=theirs.detach())) as reader:
        sock = _Joining(gevent.socket.socket(fileno=ours.detach()))

        def answer() -> None:
            sock.sendall(head)
            sock.sendall(body)
            sock.close()

        answering = gevent.spawn(answer)
        assert b"".join(iter(lambda: reader.recv(65_536), b"")) == head + body
        answering.get()
