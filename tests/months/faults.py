"""Every kind of fault that a world may meet, so that one which strikes no more is noticed."""

from __future__ import annotations

__all__ = ["KINDS"]

KINDS = (
    "clock jumps",
    "inventory cut off",
    "inventory short of names",
    "killed",
    "killed by SIGKILL in a write",
    "ledger full",
    "ledger restored",
    "ledger restored, a week old",
    "own resolver half silent",
    "own resolver lying",
    "own resolver silent",
    "own resolver stale",
    "panel down",
    "panel slow to list",
    "panel slow to turn",
    "switch unreadable",
    "switches unclear",
    "vantage dead",
    "vantage lies: address",
    "vantage lies: here",
    "vantage lies: moved",
    "vantage lies: nothing",
    "vantage lies: stale",
    "vantage rate-limited",
    "write late",
    "write lost",
    "write not applied",
    "write refused",
    "write reply lost",
    "write unreadable",
)
