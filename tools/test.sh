#!/usr/bin/env bash
# Checks everything on a machine that has nothing but Python 3.11 to 3.13:
#
#   tools/test.sh                      style, all tests
#   tools/test.sh -k genotype          ... further arguments go to pytest
#   TF_DARTS_LONG_TESTS=1 tools/test.sh  ... with the tests that take minutes each
#
# Makes .venv (tools/venv.sh) where it is missing.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
cd "$root"

"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/python" -m pytest -n 2 --dist=loadfile "$@"
