#!/usr/bin/env bash
# Checks deploy/ with the tools of its formats: `deploy/check.sh BIN`, where BIN has deploy/requirements.txt installed.
# promtool and systemd-analyze come with the system; each that is missing is told, and skipped.
set -euo pipefail
cd "$(dirname "$0")"
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

have() { command -v "$1" >/dev/null || { echo "-- skipped: no $1"; return 1; }; }

echo "-- Dockerfile"
"$bin/hadolint" Dockerfile

echo "-- compose.yaml"
"$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
"$bin/docker-compose" -f compose.yaml config --quiet

echo "-- Helm chart"
"$bin/python" render.py "$work/manifests"
"$bin/kubernetes-validate" --strict --quiet "$work"/manifests/*.yaml

if have promtool; then
  promtool check rules helm/img-ml/monitoring/alerts.yaml
  promtool test rules monitoring/alerts_test.yaml
  sed "s|/etc/prometheus|$PWD/helm/img-ml/monitoring|" monitoring/prometheus.yml > "$work/prometheus.yml"
  promtool check config "$work/prometheus.yml"
fi

if have systemd-analyze; then
  echo "-- systemd unit"
  # The program is not here; every other complaint counts.
  sed 's|^ExecStart=.*|ExecStart=/bin/true|' 'systemd/img-ml-worker@.service' > "$work/img-ml-worker@1.service"
  systemd-analyze verify "$work/img-ml-worker@1.service"
  systemd-analyze security --offline=yes --threshold=20 "$work/img-ml-worker@1.service" | tail -1
fi
echo "deploy/ is well-formed"
