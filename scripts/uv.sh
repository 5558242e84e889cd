#!/usr/bin/env bash
# Puts uv at build/tools/uv: the one on PATH, or one that pip installs into build/tools (which is allowed
# also where the system's Python is externally managed).
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/tools
python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] || { echo "Python 3.11 or newer is needed and no python3 is on PATH" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Python 3.11 or newer is needed; $python is $("$python" -V)" >&2; exit 2; }
if on_path=$(command -v uv) && "$on_path" --version >/dev/null 2>&1; then
  ln -sfn "$on_path" build/tools/uv
  echo "uv: $("$on_path" --version) from $on_path"
  exit 0
fi
if ! "$python" -m pip --version >/dev/null 2>&1; then
  "$python" -m ensurepip --user >/dev/null 2>&1 || {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
      { echo "$python has no pip: install it (Debian: apt-get install python3-pip)" >&2; exit 2; }
    echo "pip: apt-get install python3-pip"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
    python=/usr/bin/python3
  }
fi
echo "uv: pip install into build/tools/pip"
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target build/tools/pip --upgrade uv
ln -sfn pip/bin/uv build/tools/uv
build/tools/uv --version
