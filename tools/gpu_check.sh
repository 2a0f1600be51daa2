#!/usr/bin/env bash
# Checks designs as PyTorch modules on a GPU (tools/gpu_check.py says what and how): prepare DIR, then run DIR on
# the machine with the GPU. It uses the Python of GABBRO_PYTHON, of .venv, or python3.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
python=${GABBRO_PYTHON:-}
if [[ -z $python ]]; then
  python=python3
  [[ -x .venv/bin/python ]] && python=.venv/bin/python
fi
exec "$python" tools/gpu_check.py "$@"
