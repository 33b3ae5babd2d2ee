#!/usr/bin/env bash
# Searches cells on this machine's processor in a few minutes, trains them from scratch and tests them:
# recurrent ones on the text that comes with Python, then convolutional ones on scikit-learn's
# handwritten digits, whose network it exports and asks what a picture shows:
#
#   tools/quickstart.sh
#   tools/quickstart.sh --seed=1       ... further flags go to searches and trainings
#
# Makes .venv (tools/venv.sh) where it is missing. The runs are left under runs/ in the current
# folder; the same command goes on with them where they were stopped.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"

main() {
  "$venv/bin/python" -m tf_darts.main "$@"
}

# Runs with further flags are other runs.
flags=$(printf '%s' "$*" | tr -c '[:alnum:]' _)
for name in "" _images; do
  found=runs/quickstart_search$name$flags trained=runs/quickstart_train$name$flags
  main --flagfile="$root/flags/quickstart$name.flags" --run_dir="$found" "$@"
  main --flagfile="$root/flags/quickstart_train$name.flags" --run_dir="$trained" \
    --genotype="$found/genotype.json" "$@"
  main --mode=test --run_dir="$trained"
done

exported=runs/quickstart_model$flags
if [[ ! -d $exported ]]; then
  main --mode=export --run_dir="$trained" --export_dir="$exported" # the network of the digits
fi
"$venv/bin/python" "$root/tools/answer_request.py" --export_dir="$exported" \
  --image="$root/docs/images/zero.png"
