"""What is written of what a client said several times in one second."""

import pytest

from configsvc.delivery.pace import Pace
from configsvc.delivery.reports import Reports
from configsvc.store import watch
from configsvc.store.database import Database
from configsvc.store.watch import Report


def said(token_id: str, revision: int = 0, leaving: bool = False) -> Report:
    """What one client says."""
    place = ("staging", ["payments"], "checkout", "web-1", 7, "", "none", revision, "", None)
    return Report("a", *place, leaving, token_id)


@pytest.mark.parametrize(
    ("first", "then", "written"),
    [
        (said("mine", 1), said("mine", 2), said("mine", 2)),
        (said("mine"), said("mine", leaving=True), said("mine", leaving=True)),
        (said("mine", leaving=True), said("mine"), said("mine", leaving=True)),
        (said("mine"), said("another", leaving=True), said("mine")),
        (said("another", leaving=True), said("mine"), said("mine")),
    ],
)
def test_the_last_word_counts_but_for_leaves(
    monkeypatch: pytest.MonkeyPatch, first: Report, then: Report, written: Report
) -> None:
    """After a client's leave comes only what was still on its way; and nobody takes leave for another token."""
    lists: list[list[Report]] = []
    monkeypatch.setattr(watch, "report", lambda _, reports, __: lists.append([report for report, _ in reports]))
    database = Database("host=localhost")
    reports = Reports(database, Pace(30))
    reports.add(first)
    reports.add(then)
    reports.start()
    reports.stop()
    database.close()
    assert lists == [[written]]
