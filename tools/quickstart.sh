#!/usr/bin/env bash
# Searches cells on this machine's processor in a few minutes: recurrent ones on the text that comes
# with Python, then convolutional ones on scikit-learn's handwritten digits:
#
#   tools/quickstart.sh
#   tools/quickstart.sh --seed=1       ... further flags go to both searches
#
# Makes .venv (tools/venv.sh) where it is missing. The runs are left under runs/ in the current
# folder; the same command goes on with them where they were stopped.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"

for flags in quickstart quickstart_images; do
  "$venv/bin/python" -m tf_darts.main --flagfile="$root/flags/$flags.flags" "$@"
done
