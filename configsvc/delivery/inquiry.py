"""A question to something that may hang, asked behind whoever wants to know: nobody waits longer than they like."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """One that is being asked, or was."""

    def __init__(self) -> None:
        self._answer = Future[Answer]()

    @property
    def over(self) -> bool:
        """Whether there is an answer, or an error."""
        return self._answer.done()

    def answer(self, until: float) -> Answer | None:
        """Return the answer, None if there is none by a moment of the monotonic clock. Raises what asking raised."""
        try:
            return self._answer.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return None

    def put(self, look: Callable[[], Answer]) -> None:
        """Ask."""
        try:
            self._answer.set_result(look())
        except BaseException as error:  # noqa: BLE001  # raised for those who wait
            self._answer.set_exception(error)


class Inquiry(Generic[Answer]):
    """Asks at most once at a time: who comes meanwhile waits for the same answer."""

    def __init__(self, name: str, look: Callable[[], Answer]) -> None:
        """``name``: of the thread in which ``look`` is called."""
        self._name = name
        self._look = look
        self._lock = threading.Lock()
        self._question: Question[Answer] | None = None

    def ask(self) -> Question[Answer]:
        """Begin to ask, unless that goes on already."""
        with self._lock:
            question = self._question
            if question is None or question.over:
                question = Question()
                threading.Thread(target=question.put, args=[self._look], name=self._name, daemon=True).start()
                self._question = question  # now that it is being asked
        return question
