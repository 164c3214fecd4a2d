"""The C++ compiler: which one, with which flags, and what of the machine shapes its output."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from pathlib import Path

from snnplast.errors import UserError
from snnplast.native.scratch import cannot, working

COMPILERS = ("g++", "clang++", "c++")

FLAGS = (
    "-std=c++17",
    "-O3",  # unlike -O2 it turns the loops over synapses into vector code: two to three times as fast
    "-march=native",
    # One rounding per operation. Contracting a*b+c would save a few percent where the cost is arithmetic, which
    # is not where it is; without it results do not depend on how the compiler happened to fuse, so that the fast
    # path and Brian2's own loops agree bitwise, and machines with and without FMA do as well.
    "-ffp-contract=off",
    # Nobody looks at the floating-point exceptions or at errno, and without them conditions become vector code.
    "-fno-trapping-math",
    "-fno-math-errno",
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
    "-w",
)
GCC_FLAGS = ("-fno-gnu-unique",)  # unique symbols are shared between copies of a library: the copies must be apart


class CompilerError(UserError):
    """The C++ compiler is missing or refused the generated sources."""


def compiler_available() -> bool:
    """Whether the compiled engine can be used here: is there a C++ compiler?"""
    return find_compiler() is not None


def find_compiler() -> list[str] | None:
    """The command of the compiler: $CXX, otherwise the first of `COMPILERS` on the path; None if there is none."""
    wanted = os.environ.get("CXX")
    for command in [shlex.split(wanted)] if wanted else [[name] for name in COMPILERS]:
        if command and shutil.which(command[0]):
            return command
    return None


def compiler_version() -> str:
    """What the compiler calls itself, in one line; "none" where there is none."""
    command = find_compiler()
    return _version(tuple(command)).partition("\n")[0] if command else "none"


@functools.lru_cache(maxsize=8)
def _version(command: tuple[str, ...]) -> str:
    return subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout


def command_line() -> list[str]:
    """Compiler and flags. Raises `CompilerError` without a compiler."""
    command = find_compiler()
    if command is None:
        raise CompilerError(
            f"the compiled engine needs a C++ compiler ({', '.join(COMPILERS)} or $CXX), and none is on the PATH: "
            'install one or choose engine "runtime"'
        )
    clang = "clang" in _version(tuple(command))
    return [*command, *FLAGS, *(() if clang else GCC_FLAGS)]


def fingerprint() -> str:
    """Everything but the sources that the library depends on: compiler, its version, flags, processor."""
    command = command_line()
    version = _version(tuple(find_compiler() or ()))
    return "\n".join([*command, version, platform.machine(), processor()])


@functools.cache
def processor() -> str:
    """Model and features: -march=native means another instruction set on another processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    found = {line.split(":")[0].strip(): line for line in lines if line.startswith(wanted)}
    return hashlib.sha256("\n".join(found.values()).encode()).hexdigest()


def compiled(files: dict[str, str], source: str, *others: Path) -> bytes:
    """The shared library of `files`, of which `source` is compiled. others: where to work if the usual place is full.

    Raises `CompilerError`, and `UserError` where there is no room.
    """

    def compile_in(directory: Path) -> bytes:
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        command = [*command_line(), "-I.", source, "-o", "library.so"]
        environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(directory)}
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        lines = done.stderr.splitlines()
        if done.returncode and (full := cannot(lines)):
            raise full
        if done.returncode:
            errors = [line for line in lines if "error" in line][:5] or lines[-5:]
            raise CompilerError("the C++ compiler refused the generated sources: " + "; ".join(errors))
        return (directory / "library.so").read_bytes()

    return working(compile_in, *others)
