"""One translation unit from Brian2's many generated files.

Brian2 compiles each code object on its own, parsing the same headers some forty times; as one
unit a network compiles about seven times faster, and the compiler may inline across the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources

from snnplast.engine.internals_cpp import Connection, Generated

INTERFACE = ("interface.h", "interface.cpp")


def assemble(generated: Generated) -> dict[str, str]:
    """All files to compile, by path relative to the build directory; the unit is "unity.cpp"."""
    package = resources.files("snnplast.engine")
    files = {**generated.headers, **generated.sources}
    files.update({f"snnplast_{name}": (package / name).read_text() for name in INTERFACE})
    files["unity.cpp"] = _unity(generated, files)
    return files


def _unity(generated: Generated, files: dict[str, str]) -> str:
    """Text of the unit.

    Order matters: the standard headers come first, so that the replacements of `exit`, `assert`
    and `ifstream` touch the generated sources only. Helpers of the same name in the code objects'
    anonymous namespaces collide, hence a namespace around each.
    """
    code_object_files = {name for name in generated.sources if name.startswith("code_objects/")}
    plain = sorted(set(generated.sources) - code_object_files - {"main.cpp"})
    # A code object's own header declares its functions outside the namespace.
    headers = ["objects.h", *sorted(name for name in files if name.startswith("code_objects/") and name.endswith(".h"))]
    lines = [f"#include <{name}>" for name in _standard_headers(files.values())]
    lines += ['#include "snnplast_interface.h"']
    lines += ["#undef assert", "#define assert(condition) snnplast::check(bool(condition), #condition)"]
    lines += ["#define exit(status) snnplast::leave(status)", "#define ifstream snnplast::ArrayStream"]
    lines += [f'#include "{name}"' for name in headers]
    lines += _runs_once(*plain)
    for name in sorted(code_object_files):
        lines += _in_namespace(name, generated.sources[name])
    lines += ["#define main snnplast_initialise", *_runs_once("main.cpp"), "#undef main"]
    lines += ["#undef exit", "#undef ifstream"]
    lines += [_tables(generated), '#include "snnplast_interface.cpp"']
    return "\n".join(lines) + "\n"


def _runs_once(*files: str) -> list[str]:
    """Include files whose functions no step calls: a sixth of the time to compile a network would go to their speed."""
    included = [f'#include "{name}"' for name in files]
    return ["#pragma GCC push_options", '#pragma GCC optimize("O1")', *included, "#pragma GCC pop_options"]


def _standard_headers(texts: Iterable[str]) -> list[str]:
    found = {name for text in texts for name in re.findall(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", text, re.M)}
    # Brian2 includes some of its own headers with angle brackets; MATLAB-style platform headers are guarded there.
    return sorted(name for name in found if not name.startswith("brianlib/") and name not in {"omp.h"})


def _in_namespace(path: str, text: str) -> list[str]:
    """Include one code object's file inside a namespace; its functions stay callable from outside."""
    name = path.removeprefix("code_objects/").removesuffix(".cpp")
    namespace = f"snnplast_{name}"
    functions = re.findall(r"^void (_(?:run|before_run|after_run)_\w+)\(\)", text, re.M)
    macros = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M)
    lines = [f"namespace {namespace} {{", f'#include "{path}"', "}"]
    lines += [f"void {function}() {{ {namespace}::{function}(); }}" for function in functions]
    lines += [f"#undef {macro}" for macro in macros]
    return lines


def _tables(generated: Generated) -> str:
    """What the interface needs to know about this network, as functions of the namespace `snnplast`."""
    arrays = list(generated.arrays)
    static = [name for name in arrays if name not in generated.dynamic]

    def data(name: str) -> str:
        return f"data_of(brian::{name})" if name in generated.dynamic else f"brian::{name}"

    def size(name: str) -> str:
        return f"brian::{name}.size()" if name in generated.dynamic else f"brian::_num_{name}"

    lines = ["namespace snnplast {"]
    lines += _switch("void* array_data", [f"return {data(name)};" for name in arrays], "return nullptr;")
    lines += _switch(
        "int64_t array_size", [f"return static_cast<int64_t>({size(name)});" for name in arrays], "return 0;"
    )
    lines += _switch("size_t array_item", [f"return sizeof(brian::{name}[0]);" for name in arrays], "return 0;")
    vectors = [f"brian::{name}.clear(); break;" if name in generated.dynamic else "break;" for name in arrays]
    lines += _switch("void empty_array", vectors)
    matrices = list(generated.matrices)
    lines += _switch("int64_t matrix_rows", [f"return brian::{name}.n;" for name in matrices], "return 0;")
    lines += _switch("int64_t matrix_columns", [f"return brian::{name}.m;" for name in matrices], "return 0;")
    lines += _switch(
        "void copy_matrix", [f"copy_rows(brian::{name}, to); break;" for name in matrices], more=", char* to"
    )
    lines += _switch("void empty_matrix", [f"brian::{name}.resize(0, brian::{name}.m); break;" for name in matrices])
    # Brian2 frees its static arrays only, and sets them to null; `delete` of null does nothing.
    lines += ["static void free_arrays() {", "    _dealloc_arrays();"]
    lines += [f"    delete[] brian::{name}; brian::{name} = nullptr;" for name in static]
    lines += ["}", "static void prepare_pathways() {"]
    lines += [f"    _before_run_{name}();" for name in generated.before_run]
    lines += ["}", "static std::vector<SynapticPathway*> pathways() {"]
    lines += [f"    return {{{', '.join(f'&brian::{name}' for name in generated.pathways)}}};", "}"]
    lines += [f"static decltype(brian::{generated.network})& the_network() {{ return brian::{generated.network}; }}"]
    lines += ["static const std::vector<Clock*>& clocks() {", "    static const std::vector<Clock*> all{"]
    lines += [f"        &brian::{name}," for name in generated.clocks]
    lines += ["    };", "    return all;", "}"]
    lines += [f"static Clock& the_clock() {{ return brian::{generated.clocks[0]}; }}", "}  // namespace snnplast", ""]
    lines += ["void snnplast_seed() {", "    if (snnplast::first_seed >= 0)"]
    lines += ["        brian::_random_generators[0].seed(static_cast<unsigned long>(snnplast::first_seed));", "}", ""]
    lines += ["void snnplast_connect(int which) {", "    using namespace brian;"]
    for k, connection in enumerate(generated.connections):
        lines += _connect(k, connection)
    return "\n".join([*lines, "}"])


def _switch(head: str, cases: list[str], otherwise: str = "", more: str = "") -> list[str]:
    """A function that does one thing for each number of an array."""
    lines = [f"static {head}(int array{more}) {{", "    switch (array) {"]
    return [*lines, *(f"    case {k}: {case}" for k, case in enumerate(cases)), f"    }} {otherwise}", "}"]


def _connect(which: int, c: Connection) -> list[str]:
    return [
        f"    if (which == {which}) {{",
        f"        snnplast::connect({which}, {c.pre}, {c.post}, {c.outgoing}, {c.incoming}, "
        f"{c.n_pre}, {c.n_post}, {c.count});",
        *(f"        {name}.resize({c.pre}.size());" for name in c.registered if name not in (c.pre, c.post)),
        "    }",
    ]
