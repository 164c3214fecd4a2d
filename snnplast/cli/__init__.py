"""The command line and what it shows."""

from snnplast.cli.command import main as main
