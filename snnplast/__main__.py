"""`python -m snnplast`."""

import sys

from snnplast.cli.command import main

sys.exit(main())
