"""Brian2, imported here and nowhere else in the library: whichever thread asks first, and without a trace.

Brian2's import installs a handler of Ctrl-C, which only the main thread may; an exception hook that calls every mistake
in a user's script an unexpected error of Brian2; and it writes a log and a copy of that script to the temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def _without_a_trace() -> Iterator[None]:
    first = "brian2" not in sys.modules
    hook, install = sys.excepthook, signal.signal

    def where_allowed(number: Any, handler: Any) -> Any:
        main = threading.current_thread() is threading.main_thread()
        return install(number, handler) if main else signal.getsignal(number)

    signal.signal = where_allowed
    try:
        yield
    finally:
        signal.signal = install
    logger = sys.modules["brian2.utils.logger"]
    if sys.excepthook is logger.brian_excepthook:
        sys.excepthook = hook if first else sys.__excepthook__
    if first:
        _forget_files(logger)


def _forget_files(logger: Any) -> None:
    """No log, no copy of the script; what the compiler of Cython code says goes to files that have no name."""
    brian, silent = logger.BrianLogger, logger.std_silent
    if brian.file_handler is not None:
        logger.logging.getLogger("brian2").removeHandler(brian.file_handler)
        brian.file_handler.close()
    for path in filter(None, (brian.tmp_log, brian.tmp_script)):
        with contextlib.suppress(OSError):
            os.unlink(path)
    brian.file_handler = brian.tmp_log = brian.tmp_script = None
    if silent.dest_stdout is None and os.path.isdir("/proc/self/fd"):
        for name in ("stdout", "stderr"):
            file = tempfile.TemporaryFile("w")  # noqa: SIM115  (it stays open as long as the process)
            setattr(silent, f"dest_{name}", file)
            setattr(silent, f"dest_fname_{name}", f"/proc/self/fd/{file.fileno()}")


with _without_a_trace():
    import brian2 as brian2
    from brian2 import EventMonitor as EventMonitor
    from brian2 import NetworkOperation as NetworkOperation
    from brian2 import NeuronGroup as NeuronGroup
    from brian2 import PoissonGroup as PoissonGroup
    from brian2 import PoissonInput as PoissonInput
    from brian2 import PopulationRateMonitor as PopulationRateMonitor
    from brian2 import SpikeGeneratorGroup as SpikeGeneratorGroup
    from brian2 import StateMonitor as StateMonitor
    from brian2 import Synapses as Synapses
    from brian2 import TimedArray as TimedArray
    from brian2 import prefs as prefs
    from brian2 import second as second
    from brian2.codegen.generators.cpp_generator import CPPCodeGenerator as CPPCodeGenerator
    from brian2.core.base import BrianObject as BrianObject
    from brian2.core.base import BrianObjectException as BrianObjectException
    from brian2.core.functions import DEFAULT_CONSTANTS as DEFAULT_CONSTANTS
    from brian2.core.functions import DEFAULT_FUNCTIONS as DEFAULT_FUNCTIONS
    from brian2.core.functions import Function as Function
    from brian2.core.functions import FunctionImplementationContainer as FunctionImplementationContainer
    from brian2.core.names import Nameable as Nameable
    from brian2.core.namespace import DEFAULT_UNITS as DEFAULT_UNITS
    from brian2.core.namespace import get_local_namespace as get_local_namespace
    from brian2.core.variables import ArrayVariable as ArrayVariable
    from brian2.core.variables import Constant as Constant
    from brian2.core.variables import DynamicArrayVariable as DynamicArrayVariable
    from brian2.core.variables import Variable as Variable
    from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject as CPPStandaloneCodeObject
    from brian2.devices.cpp_standalone.device import CPPStandaloneDevice as CPPStandaloneDevice
    from brian2.devices.device import Device as Device
    from brian2.devices.device import RuntimeDevice as RuntimeDevice
    from brian2.equations import Equations as Equations
    from brian2.equations.equations import dimensions_and_type_from_string as dimensions_and_type_from_string
    from brian2.groups.group import CodeRunner as CodeRunner
    from brian2.groups.group import Group as Group
    from brian2.groups.subgroup import Subgroup as Subgroup
    from brian2.parsing.expressions import parse_expression_dimensions as parse_expression_dimensions
    from brian2.parsing.sympytools import str_to_sympy as str_to_sympy
    from brian2.parsing.sympytools import sympy_to_str as sympy_to_str
    from brian2.stateupdaters.base import StateUpdateMethod as StateUpdateMethod
    from brian2.stateupdaters.base import UnsupportedEquationsException as UnsupportedEquationsException
    from brian2.synapses.synapses import SynapticPathway as SynapticPathway
    from brian2.units import Quantity as Quantity
    from brian2.units import allunits as allunits
    from brian2.units import stdunits as stdunits
    from brian2.units.allunits import all_units as all_units
    from brian2.units.fundamentalunits import Unit as Unit
    from brian2.units.fundamentalunits import get_dimensions as get_dimensions
    from brian2.units.fundamentalunits import get_unit as get_unit
    from brian2.utils.stringtools import get_identifiers as get_identifiers

BrianNetwork = brian2.Network
"""Brian2's network; `snnplast.network.network.Network` is a description of one."""
