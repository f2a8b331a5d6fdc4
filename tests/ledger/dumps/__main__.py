"""Write the dumps that are missing: ``python -m tests.ledger.dumps``."""

from __future__ import annotations

import sys

from tests.ledger.dumps import write_missing

if __name__ == "__main__":
    for path in write_missing():
        sys.stdout.write(f"{path}\n")
