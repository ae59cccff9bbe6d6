"""Sphinx configuration: ``sphinx-build -W docs docs/_build/html``, without a network."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "vitrion"
author = "The vitrion developers"
copyright = "The vitrion developers, BSD-3-Clause"
release = version = installed_version("vitrion")

extensions = [
    "commands",
    "fields",
    "mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
# Included by other pages.
exclude_patterns = [
    "_build",
    "_templates",
    "results/inserted_lithium.md",
    "results/glass_convergence_table.md",
    "results/interphase_table.md",
    "results/paper_table.md",
]
templates_path = ["_templates"]

# One thread a process is the only fast way; the tutorial runs molecular dynamics.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# VITRION_DOCS_EXECUTE=off builds in seconds, without the outputs of the tutorial.
nb_execution_mode = os.environ.get("VITRION_DOCS_EXECUTE", "cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

# Annotations name types without their module, and steps share names such as Host and Ion.
suppress_warnings = ["ref.python"]
html_math_renderer = "mathml"
autosummary_generate = True
# Where a module is gone, the pages that still name it would be errors of the next build.
GENERATED = HERE / "api" / "generated"
for page in GENERATED.glob("*.rst"):
    source = HERE.parent / "src" / page.stem.replace(".", "/")
    if not (source.with_suffix(".py").exists() or source.is_dir()):
        shutil.rmtree(GENERATED)
        break
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Methods and fields that pydantic and monty give to every class say nothing about this one.
autodoc_default_options = {"exclude-members": "model_config,model_post_init"}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True

# Links into other projects need their inventories from the network; the build must not.
intersphinx_mapping = {}
if os.environ.get("VITRION_DOCS_ONLINE") or os.environ.get("READTHEDOCS"):
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pymatgen": ("https://pymatgen.org", None),
        "jobflow": ("https://materialsproject.github.io/jobflow", None),
        "atomate2": ("https://materialsproject.github.io/atomate2", None),
        "ase": ("https://ase-lib.org", None),
    }

html_theme = "pydata_sphinx_theme"
html_title = f"vitrion {release}"
html_static_path = ["_static"]
html_css_files = ["formula.css", "pages.css"]
html_js_files = ["sortable_tables.js"]
html_show_sourcelink = False
# Pages without others below them have nothing to show at the side.
html_sidebars = {name: [] for name in ("index", "quick_start", "limits", "contributing")}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
