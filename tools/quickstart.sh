#!/usr/bin/env bash
# Searches a cell on this machine's processor in a few minutes, with the text that comes with Python:
#
#   tools/quickstart.sh
#   tools/quickstart.sh --seed=1       ... further flags go to tf_darts.main
#
# Makes .venv (tools/venv.sh) where it is missing. The run is left under runs/ in the current
# folder; the same command goes on with it where it was stopped.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"

exec "$venv/bin/python" -m tf_darts.main --flagfile="$root/flags/quickstart.flags" "$@"
