#!/usr/bin/env bash
# Installs vitrion into .venv and computes the conductivity of the crystal and the glass of LiPO2F2.
# Arguments are passed to `vitrion run`, e.g.  launchers/quickstart.sh Li3PO4 --preset quick
cd "$(dirname "$0")/.."
source launchers/environment.sh
make_environment .venv "[chgnet]"
if [ $# -eq 0 ]; then set -- LiPO2F2 --preset quick; fi
exec .venv/bin/vitrion run "$@"
