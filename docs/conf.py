"""How the site is made, `make docs`: the reference is written from the code, tutorials and gallery are run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where `snnplast` is

from generate import notebooks, reference  # noqa: E402
from sphinx_gallery.sorting import ExplicitOrder  # noqa: E402

from snnplast.version import __version__  # noqa: E402

project, author, release = "snnplast", "the snnplast authors", __version__
copyright = f"{author}, MIT licence"
extensions = ["myst_nb", "sphinx_gallery.gen_gallery", "sphinx_copybutton", "sphinx_design", "sphinx_llms_txt"]
extensions += ["matplotlib.sphinxext.mathmpl"]  # equations without a network
exclude_patterns = ["generate", "_build", "gallery", "sg_execution_times.rst", "examples/**.ipynb", "examples/**.zip"]
exclude_patterns += ["jupyter_execute"]  # what a build of before has left
exclude_patterns += ["examples/**.py*", "examples/**.json", "examples/**sg_execution_times.rst", "tutorials/notebooks"]
html_theme = "furo"
html_title = "snnplast"
html_static_path, html_css_files = ["_static"], ["math.css"]
mathmpl_fontsize, mathmpl_srcset = 11.0, ["2x"]
nitpicky = True
suppress_warnings = ["config.cache", "misc.highlighting_failure"]  # commands of several lines in cells

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

GALLERIES = ["rules", "third_factors", "neurons", "energy", "tools"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "subsection_order": ExplicitOrder([f"gallery/{name}" for name in GALLERIES]),
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": r"\.py$",
    "reset_modules": ("matplotlib", "generate.figures.style"),
    "image_srcset": ["2x"],
    "abort_on_example_error": True,
    "plot_gallery": True,
    "download_all_examples": False,
    "show_memory": False,
    "parallel": True,  # as many as sphinx -j says
    "remove_config_comments": True,
    "min_reported_time": 1,
}


def setup(app) -> None:
    """Write the reference and the notebooks before anything is read."""
    app.connect("builder-inited", lambda app: reference.write(HERE / "reference" / "generated"))
    app.connect("builder-inited", notebooks.prepare)
