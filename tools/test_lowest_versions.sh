#!/usr/bin/env bash
# Installs the lowest versions that pyproject.toml allows in .venv-lowest and runs the tests with
# them. Arguments are passed on to pytest.
cd "$(dirname "$0")/.."
source launchers/environment.sh
python=${PYTHON:-python3}
[ -x .venv-lowest/bin/python ] || "$python" -m venv .venv-lowest
.venv-lowest/bin/pip install -q uv
install_torch .venv-lowest/bin/pip
version=$(.venv-lowest/bin/python -c 'import torch; print(torch.__version__)')
echo "torch==$version" > .venv-lowest/torch.txt
wheels=$(.venv-lowest/bin/pip config get global.find-links 2>/dev/null || true)
resolve=(--resolution lowest-direct --overrides .venv-lowest/torch.txt)
for folder in $wheels; do resolve+=(--find-links "$folder"); done
.venv-lowest/bin/uv pip compile -q "${resolve[@]}" --python .venv-lowest/bin/python \
    --extra tests -o .venv-lowest/lowest.txt pyproject.toml
grep -v '^torch==' .venv-lowest/lowest.txt > .venv-lowest/others.txt
.venv-lowest/bin/uv pip install -q --no-deps --python .venv-lowest/bin/python \
    -r .venv-lowest/others.txt
.venv-lowest/bin/pip install -q --no-deps -e .
exec .venv-lowest/bin/python -m pytest -n "$(getconf _NPROCESSORS_ONLN)" --dist loadfile "$@"
