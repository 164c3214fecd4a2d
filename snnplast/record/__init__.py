"""The file a run leaves: written while it runs, read back afterwards."""

from snnplast.record.reading import read_run
from snnplast.record.results import Run
from snnplast.record.run_file import RunFile
from snnplast.record.writable import check_writable

__all__ = ["Run", "RunFile", "check_writable", "read_run"]
