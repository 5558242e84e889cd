"""What takes longer than CI has: `make soak`. Prints a table for docs/soak.md.

FAULTLINE_SOAK_KILLS says how often agents and the collector are killed (100 times each).
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from random import Random

from tests.e2e.kills import Account, run_kills

KILLS = int(os.environ.get("FAULTLINE_SOAK_KILLS", "100"))


def table(total: Account, seed: int, took_s: float) -> str:
    """The account as Markdown."""
    rows = {
        "kill -9 of agents": KILLS,
        "kill -9 of the collector": KILLS,
        "spools": total.spools,
        "results recorded": total.recorded,
        "stored, each once": total.stored,
        "rejected, with the reason": total.rejected,
        "dropped, with the reason": total.dropped,
        "problems": len(total.problems),
        "seed": seed,
        "seconds": round(took_s),
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def main() -> int:
    """Kills, accounts, prints; 1 when a result is lost or doubled."""
    seed, began = Random().randrange(2**32), time.monotonic()
    total = asyncio.run(run_kills(Path("build/soak"), KILLS, KILLS, seed, print))
    print(table(total, seed, time.monotonic() - began))
    for problem in total.problems:
        print(problem)
    return 1 if total.problems else 0


if __name__ == "__main__":
    sys.exit(main())
