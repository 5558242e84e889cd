#!/usr/bin/env bash
# Builds influxd, the InfluxDB 2 server that tests, benchmarks and the demo run, with the ordinary Go client, and
# keeps it by version in the user's cache folder. Prints its path last. A second run finds it there at once.
# What is needed: go, cargo, gcc, pkg-config. Five minutes on two cores. With --if-possible (`make test`) an
# influxd on PATH is good too, and outside CI a machine that cannot build it goes without, with a sentence.
set -eu
version=2.7.12
cache=${XDG_CACHE_HOME:-$HOME/.cache}/faultline
influxd=$cache/influxd-$version/influxd
[ ! -x "$influxd" ] || { echo "$influxd"; exit 0; }
if [ "${1:-}" = --if-possible ] && command -v influxd; then exit 0; fi

export PATH="$PATH:/usr/local/go/bin:$HOME/.cargo/bin"
missing=()
for program in go cargo gcc pkg-config; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "influxd $version cannot be built here: ${missing[*]} is not on PATH (go: https://go.dev/dl, cargo: https://rustup.rs)" >&2
  if [ "${1:-}" = --if-possible ] && [ "${CI:-}" != true ]; then exit 0; fi
  exit 2
fi

# rustup's toolchains lie beside the home that it was installed in, which need not be this user's.
toolchains=$(dirname "$(dirname "$(dirname "$(command -v cargo)")")")/.rustup
[ -n "${RUSTUP_HOME:-}" ] || [ -d "$HOME/.rustup" ] || [ ! -d "$toolchains" ] || export RUSTUP_HOME="$toolchains"

mkdir -p "$cache"
exec 9>"$cache/influxd.lock"
! command -v flock >/dev/null || flock -n 9 || { echo "influxd $version: another build is under way, waiting" >&2; flock 9; }
[ ! -x "$influxd" ] || { echo "$influxd"; exit 0; }

# Everything is made beside the place it belongs to and moved there when whole: a build that breaks off leaves nothing.
work=$(mktemp -d "$cache/influxd-$version.building.XXXXXX")
build=
trap '[ -z "$build" ] || kill "$build" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/module"
cd "$work/module"
cat >go.mod <<MODULE
module faultline.invalid/influxd

go 1.22

require github.com/influxdata/influxdb/v2 v$version

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
MODULE
cat >tools.go <<'TOOLS'
//go:build tools

package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
TOOLS
# Newer compilers make errors of lints that libflux was written before; flags do not reach build dependencies.
printf '#!/bin/sh\nexec "$@" --cap-lints=warn\n' >"$work/rustc"
chmod +x "$work/rustc"
export GOFLAGS=-mod=mod RUSTUP_TOOLCHAIN=stable RUSTC_WRAPPER="$work/rustc" GOBIN="$work"

# step SENTENCE COMMAND...: runs it, telling each ten seconds how far it is; its output only when it fails.
step() {
  local sentence=$1 started=$SECONDS said=$SECONDS
  shift
  echo "influxd $version: $sentence" >&2
  "$@" >"$work/log" 2>&1 9>&- &
  build=$!
  while kill -0 "$build" 2>/dev/null; do
    sleep 0.5
    if [ $((SECONDS - said)) -ge 10 ]; then
      said=$SECONDS
      echo "  $((SECONDS - started)) s, $(wc -l <"$work/log") lines of progress, now $(tail -n 1 "$work/log" | cut -c -80)" >&2
    fi
  done
  wait "$build" || { echo "influxd $version: $sentence failed:" >&2; tail -n 40 "$work/log" >&2; exit 1; }
  build=
}

step "fetching the modules" go mod tidy
step "building pkg-config, which has cargo build libflux" go install github.com/influxdata/pkg-config@v0.2.14
export PKG_CONFIG="$work/pkg-config"
step "building (about five minutes on two cores)" \
  go build -v -tags sqlite_foreign_keys,sqlite_json -o "$work/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
"$work/influxd" version >&2
mkdir -p "$cache/influxd-$version"
mv "$work/influxd" "$influxd"
echo "$influxd"
