"""`python -m bench`."""

from __future__ import annotations

import sys

from bench.cli import main


def entry() -> None:
    """The command `bench`."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry()
