#!/usr/bin/env bash
# Installs vitrion into .venv and computes the conductivity of the crystal and the glass of LiPO2F2.
# Arguments are passed to `vitrion run`, e.g.  launchers/quickstart.sh Li3PO4 --preset quick
cd "$(dirname "$0")/.."
source launchers/environment.sh
make_environment .venv "[chgnet,serve]"
if [ $# -eq 0 ]; then set -- LiPO2F2 --preset quick; fi
code=0
.venv/bin/vitrion run "$@" || code=$?
echo "For further commands:  source $PWD/.venv/bin/activate"
exit $code
