"""A plan that a person has read, and whether it still is the plan."""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.errors import InventoryError, UnsafePlan
from mailswitch.core.plan import PlannedChange, differences
from mailswitch.core.reports import PassReport
from mailswitch.service.remarks import failures_of

__all__ = ["Reviewed", "plan_refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The plan a person has looked at: its digest, and its entries where they came in a file."""

    digest: str
    entries: tuple[PlannedChange, ...] | None = None


def plan_refusal(reviewed: Reviewed | None, report: PassReport) -> UnsafePlan | InventoryError | None:
    """Return why the reviewed plan cannot be applied: exactly that plan, or nothing.

    Where servers failed that is the reason, for nobody can say what is theirs of the plan.
    """
    if reviewed is None:
        return None
    digest = report.plan.digest
    if reviewed.digest != digest:
        head = f"plan {reviewed.digest} was reviewed, but the plan is now {digest}: nothing was changed"
        current = (*report.plan.changes, *report.plan.on_review)
        what = () if reviewed.entries is None else differences(reviewed.entries, current)
        failed = failures_of(report)
        text = "\n".join((head, *what, *failed, f"look at it anew (mailswitch report), then apply {digest}"))
        return InventoryError(text, code="incomplete") if failed else UnsafePlan(text)
    if report.pause is not None:
        return UnsafePlan(
            f"all changes are paused by {report.pause.by} since {report.pause.at:%Y-%m-%d %H:%M} UTC: plan {digest} "
            "was not applied; mailswitch resume lifts the pause"
        )
    return None
