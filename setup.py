"""Build of the native kernel; everything else about the package is in pyproject.toml.

The same C++ is compiled once for each vector width. The shared libraries are loaded with ctypes, so
one wheel serves every Python. They are optional: without a compiler the package installs, and torch
evaluates.
"""

import platform
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

KERNEL = Path("src/vitrion/potentials/native/kernel")

# Exact arithmetic in a fixed order: no -ffast-math, which also changes the whole process.
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-g0",
]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
VARIANTS = {"portable": (4, [])}
if platform.machine().lower() in ("x86_64", "amd64"):
    VARIANTS["avx2"] = (8, AVX2)
    VARIANTS["avx512"] = (16, [*AVX512, "-mprefer-vector-width=512"])


class BuildKernel(build_ext):
    """Objects of a variant in a folder of their own, libraries without a tag of the Python."""

    def build_extension(self, ext):
        """Compile one variant; a failure leaves it out."""
        shared = self.build_temp
        self.build_temp = str(Path(shared) / ext.name.rpartition(".")[2])
        try:
            super().build_extension(ext)
        finally:
            self.build_temp = shared

    def get_ext_filename(self, fullname):
        """Return the path of a library below the package root."""
        return str(Path(*fullname.split("."))) + ".so"

    def get_export_symbols(self, ext):
        """There is no module to initialize."""
        return []


class AnyPythonWheel(bdist_wheel):
    """The libraries do not depend on the Python."""

    def get_tag(self):
        """Return py3-none-<platform>."""
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[
        Extension(
            f"vitrion.potentials.native._kernel_{name}",
            sources=[str(path) for path in sorted(KERNEL.glob("*.cpp"))],
            depends=[str(path) for path in sorted(KERNEL.glob("*.h"))],
            extra_compile_args=[*FLAGS, *flags, f"-DVITRION_LANES={lanes}"],
            language="c++",
            optional=True,
        )
        for name, (lanes, flags) in VARIANTS.items()
    ],
    cmdclass={"build_ext": BuildKernel, "bdist_wheel": AnyPythonWheel},
)
