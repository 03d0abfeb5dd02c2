#!/usr/bin/env bash
# Writes the lock files of the images again, from pyproject.toml: `deploy/lock.sh [--upgrade]`; needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
options=("$@")

lock() {
  local out=deploy/locks/$1.txt
  shift
  uv pip compile --quiet --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file "$out" "${options[@]}" "$@"
}

lock build deploy/locks/build.in
lock light pyproject.toml deploy/locks/light.in --extra web \
  --excludes deploy/locks/excluded.txt --excludes <(echo xgboost)
lock cuda pyproject.toml --extra web --extra networks --excludes deploy/locks/excluded.txt
