# Sourced by the other launchers: creates a virtual environment and installs vitrion into it.
#
#   make_environment FOLDER EXTRAS     EXTRAS such as "[tests]", or empty
#
# PYTHON names the interpreter (default python3); it must be 3.11 or newer.
set -euo pipefail

TORCH_VERSION=2.13.0

install_torch() {
    # Without torch, a requirement on it may install gigabytes of CUDA libraries.
    local pip=$1
    if "$pip" show -q torch 2>/dev/null; then return; fi
    if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
        "$pip" install -q "torch==$TORCH_VERSION"
    else
        "$pip" install -q "torch==$TORCH_VERSION+cpu" 2>/dev/null ||
            "$pip" install -q "torch==$TORCH_VERSION" --index-url https://download.pytorch.org/whl/cpu ||
            "$pip" install -q "torch==$TORCH_VERSION"
    fi
}

make_environment() {
    local folder=$1 extras=$2 python=${PYTHON:-python3} root
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "vitrion needs Python 3.11 or newer: set PYTHON to such an interpreter." >&2
        exit 2
    }
    if ! [ -x "$folder/bin/python" ]; then
        echo "Creating a virtual environment in $folder ..."
        "$python" -m venv "$folder"
        "$folder/bin/pip" install -q --upgrade pip
    fi
    echo "Installing vitrion and its dependencies (a few minutes the first time) ..."
    install_torch "$folder/bin/pip"
    "$folder/bin/pip" install -q -e "$root$extras"
    "$folder/bin/python" -c 'import sys; from vitrion.potentials.native import usable_variants; sys.exit(not usable_variants())' ||
        echo "No C++ compiler was found, so torch evaluates the potential, about 30 times slower: install g++ or clang++ and rerun this script."
}

# One thread per process: several processes of several threads run many times slower.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
