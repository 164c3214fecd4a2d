"""`python -m snnplast`."""

import sys

from snnplast.cli import main

sys.exit(main())
