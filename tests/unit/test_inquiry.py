"""Questions to what may hang."""

import threading
import time

import pytest

from configsvc.delivery.inquiry import Inquiry


def test_a_question_that_could_not_be_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has no thread to spare for a moment would else wait for its answer for ever."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    inquiry = Inquiry("test", lambda: "yes")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            inquiry.ask()
    assert inquiry.ask().answer(time.monotonic() + 5) == "yes"
