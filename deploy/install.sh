#!/bin/sh
# Installs the project and the packages of a lock file into a new folder: `deploy/install.sh light|cuda FOLDER`.
# The image is built by it; without a container engine it makes the same folder anywhere.
set -eu
lock=$1 target=$2
here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

pip() { "$build/bin/python" -m pip --disable-pip-version-check --quiet --no-cache-dir "$@"; }

"${PYTHON:-python3}" -m venv "$build"
"${PYTHON:-python3}" -m venv --without-pip "$target"
pip --python "$target/bin/python" install --no-deps --require-hashes --only-binary :all: -r "$here/locks/$lock.txt"
pip install --no-deps --require-hashes -r "$here/locks/build.txt"
# A copy, because a build leaves files beside the sources.
mkdir "$build/source"
(cd "$here/.." && cp -R forensics img_ml fusion worker scripts local_test.py pyproject.toml README.md LICENSE "$build/source")
pip wheel --no-deps --no-build-isolation --wheel-dir "$build/wheels" "$build/source"
pip --python "$target/bin/python" install --no-deps --no-index "$build"/wheels/*.whl

# Tests of the packages are a tenth of their size.
find "$target/lib" -type d -name tests -prune -exec rm -rf {} +
du -sm "$target" | cut -f1 | sed 's/$/ MB/'
