# shellcheck shell=bash
# Sourced by the other scripts: makes .venv in the repository, with the package and its
# dependencies in it. Sets `root` (the repository) and `venv`.
#
# PYTHON chooses the Python that .venv is made with; pip is used as it is configured here.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

is_suitable() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if is_suitable "$candidate"; then
      echo "$candidate"
      return
    fi
    if [[ -n ${PYTHON:-} ]]; then
      break # What was asked for, or nothing.
    fi
  done
  echo "${PYTHON:-python3} is no Python 3.11, 3.12 or 3.13; set PYTHON to the path of one." >&2
  return 2
}

# Installs the package as it stands here, with these extras.
install() {
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    --editable "${root}[$1]" || return
  # What pip would do on one core. Some packages hold files for other Pythons, which do not compile.
  "$venv/bin/python" -m compileall -qq -j 0 "$venv"/lib/python*/site-packages || true
}

make_venv() {
  local python wanted optional=serving,litert,onnx,nats-bench
  if ! is_suitable "$venv/bin/python"; then
    python=$(find_python)
    "$python" -m venv --clear "$venv"
  fi
  # Installed again only when what is required has changed, or the repository has moved.
  wanted=$(cat "$root/requirements.txt" "$root/pyproject.toml" && echo "$optional" "$root")
  if [[ $(cat "$venv/installed" 2>/dev/null) != "$wanted" ]]; then
    echo "Installing tf_darts and its dependencies in $venv (a few minutes the first time)."
    # What runs exported models has no packages for some systems; its tests are skipped there.
    if ! install "test,$optional"; then
      echo "The extras $optional cannot be installed here; going on without them."
      install test || return
    fi
    echo "$wanted" >"$venv/installed"
  fi
}

make_venv
