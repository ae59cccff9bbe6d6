#!/usr/bin/env bash
# Installs vitrion with its test extras into .venv-tests and runs the default test suite.
# Arguments are passed to pytest, e.g.  launchers/test.sh -m slow
cd "$(dirname "$0")/.."
source launchers/environment.sh
make_environment .venv-tests "[tests]"
exec .venv-tests/bin/python -m pytest -n "$(getconf _NPROCESSORS_ONLN)" --dist loadfile "$@"
