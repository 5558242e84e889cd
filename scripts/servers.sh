#!/usr/bin/env bash
# Installs Debian packages that tests and benchmarks use, when they are missing and we are root.
# Without root they stay missing: tests then skip with a sentence, but with CI=true they fail.
set -eu
declare -A programs=(
  [chromium]=chromium [nginx]=nginx [prometheus-blackbox-exporter]=prometheus-blackbox-exporter
  [mosquitto]=mosquitto [nftables]=nft [iproute2]=ip [prometheus-alertmanager]=prometheus-alertmanager
)
missing=()
for package in "$@"; do
  PATH="$PATH:/usr/sbin" command -v "${programs[$package]}" >/dev/null || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing and not installed (no root or no apt): ${missing[*]}" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
echo "apt-get install ${missing[*]}"
# Daemons that Debian would start are ours to start, on ports of our own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
