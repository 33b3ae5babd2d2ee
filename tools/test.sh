#!/usr/bin/env bash
# Checks everything on a machine that has nothing but Python 3.11 to 3.13:
#
#   tools/test.sh                      style, BUILD files, all tests
#   tools/test.sh -k genotype          ... further arguments go to pytest
#   TF_DARTS_LONG_TESTS=1 tools/test.sh  ... with the tests that take minutes each
#
# Makes .venv (tools/venv.sh) where it is missing.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
cd "$root"

# The formatter of BUILD files comes from npm; tests/test_build.py runs it where it finds it.
buildifier=$venv/buildifier
if [[ ! -x $buildifier/node_modules/.bin/buildifier ]]; then
  if ! command -v npm >/dev/null; then
    echo "The format of the BUILD files is not checked: buildifier comes from npm, which is missing."
  elif ! npm install --silent --no-fund --prefix "$buildifier" @bazel/buildifier@8.2.1 </dev/null; then
    echo "The format of the BUILD files is not checked: npm could not install buildifier."
  fi
fi
export PATH=$buildifier/node_modules/.bin:$PATH

"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/python" -m pytest -n 2 --dist=loadfile "$@"
