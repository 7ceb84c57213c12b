"""Use the page as no careful person would, and tell what came of it.

``python -m benchmarks.soak`` starts servers of its own with the embedded model: fifty clients at
once, five hundred requests in turn, mixed ones for a while (``--minutes``), large pictures, bad
inputs, a download that never comes, a full disk, and an evaluation that is killed. ``--part`` takes
single parts. Linux only.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.soak import parts
from benchmarks.soak.killed import killed_evaluation
from benchmarks.soak.parts import Row

logger = logging.getLogger("benchmarks.soak")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; the exit status is 1 where something does not hold."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of mixed requests (60)")
    parser.add_argument("--part", action="append", help="only this one; may be given several times")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")
    options = parser.parse_args(arguments)
    found: dict[str, Callable[[], list[Row]]] = {
        "clients": parts.many_clients,
        "requests": parts.many_requests,
        "bad": parts.bad_inputs,
        "large": parts.large_pictures,
        "stuck": parts.stuck_download,
        "disk": parts.full_disk,
        "killed": killed_evaluation,
        "mixed": lambda: parts.mixed(options.minutes),
    }
    if unknown := set(options.part or ()) - set(found):
        parser.error(f"no part {', '.join(sorted(unknown))}; parts: {', '.join(found)}")
    rows: list[Row] = []
    logger.info("On %s, %s cores, Python %s", platform.machine(), os.cpu_count(), sys.version[:6])
    logger.info("| what | what came of it | holds |\n|---|---|---|")
    for name in options.part or found:
        for row in found[name]():
            rows.append(row)
            logger.info("| %s | %s | %s |", row.part, row.figure, "yes" if row.holds else "NO")
    if options.json:
        options.json.write_text(parts.to_json(rows), encoding="utf-8")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
