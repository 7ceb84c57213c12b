"""The command line: ``python -m pruneviz``, or ``pruneviz`` where it is installed."""

import sys

from pruneviz.starting import quietly


def main() -> int:
    """Import what the commands need, which takes seconds, and run one."""
    with quietly("pruneviz"):
        from pruneviz import cli
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
