"""The file a run leaves: written while it runs, read back afterwards."""

from snnplast.record.results import read_run as read_run
from snnplast.record.run_file import RunFile as RunFile
from snnplast.record.writable import check_writable as check_writable
