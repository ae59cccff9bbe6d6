#!/usr/bin/env bash
# Sets vitrion up in .venv and runs the main job: LiPO2F2 from its formula to the conductivity of its
# crystal and its glass.
# Arguments are passed on to `vitrion run`, e.g.  launchers/quickstart.sh Li3PO4 --preset quick
cd "$(dirname "$0")/.."
source launchers/environment.sh
make_environment .venv "[chgnet]"
if [ $# -eq 0 ]; then set -- LiPO2F2 --preset quick; fi
exec .venv/bin/vitrion run "$@"
