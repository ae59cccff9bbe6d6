#!/usr/bin/env bash
# Sets vitrion up with its test extras in .venv-tests and runs the default test suite.
# Arguments are passed on to pytest, e.g.  launchers/test.sh -m slow
cd "$(dirname "$0")/.."
source launchers/environment.sh
make_environment .venv-tests "[tests]"
exec .venv-tests/bin/python -m pytest -n "$(getconf _NPROCESSORS_ONLN)" --dist loadfile "$@"
