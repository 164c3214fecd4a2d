"""`python -m snnplast`."""

import sys

from snnplast.cli.command import main

if __name__ == "__main__":  # and not where a process of MPI imports it
    sys.exit(main())
