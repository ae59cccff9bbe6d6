"""Scripts of the repository as modules."""

import importlib.util
import sys


def load_script(path):
    """Import a script of the repository."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
