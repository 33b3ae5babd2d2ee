#!/usr/bin/env bash
# Checks the project on a machine that has nothing but Python 3.11 to 3.13:
#
#   tools/test.sh                 style, and the quick tests: every module, under 8 minutes on 2 cores
#   tools/test.sh --all           all tests, as in continuous integration
#   tools/test.sh -k genotype     ... further arguments go to pytest
#   TF_DARTS_LONG_TESTS=1 tools/test.sh --all  ... with the tests that take minutes each
#
# The slowest ten tests are printed. Makes .venv (tools/venv.sh) where it is missing.
set -euo pipefail

tier=(-m "not slow and not long")
if [[ ${1:-} == --all ]]; then
  tier=()
  shift
fi

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
cd "$root"

"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/python" -m pytest -n 2 --dist=loadfile --no-loadscope-reorder --durations=10 \
  ${tier[@]+"${tier[@]}"} "$@"
