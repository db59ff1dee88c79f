"""How a worker reads its connections: nobody who sends much at once keeps the others waiting."""

import socket
from contextlib import closing

import gevent
import gevent.socket

from configsvc.gunicorn_worker import _Unreader

READS = 5


def test_others_have_a_turn_before_each_read() -> None:
    """Also where all of it is there already, as the next requests are of one who does not wait for answers."""
    ours, theirs = socket.socketpair()
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    with closing(theirs), closing(gevent.socket.socket(fileno=ours.detach())) as sock:
        theirs.sendall(b"x" * READS)
        unreader = _Unreader(sock, max_chunk=1)
        unreader.expect(10.0)
        beside = gevent.spawn(other)
        for read in range(READS):
            before = turns
            assert unreader.chunk() == b"x"
            assert turns > before, read
        beside.kill()
