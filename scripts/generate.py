"""Generates protos/faultline/v1/*_pb2*.py(i) from the .proto files; --check says whether they are current."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def generate(out: Path) -> None:
    """Writes the generated modules below `out`, in the folders of their packages."""
    sources = sorted(str(p.relative_to(PROTOS)) for p in PROTOS.glob("faultline/v1/*.proto"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={out}", f"--grpc_python_out={out}",
         f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}", *sources],
        cwd=PROTOS, check=True, env=os.environ | {"PATH": path},
    )  # fmt: skip
    for empty in out.glob("faultline/v1/*_pb2_grpc.py*"):
        if empty.name.startswith("results_"):
            empty.unlink()


def stale() -> list[str]:
    """Names of generated files that differ from what the .proto files give."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob("*_pb2*") if p.is_file()}
    present = {
        p.relative_to(PROTOS): p.read_bytes() for p in PROTOS.glob("faultline/v1/*_pb2*") if p.is_file()
    }
    return sorted(str(p) for p in fresh.keys() | present.keys() if fresh.get(p) != present.get(p))


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = stale()
        if names:
            sys.exit(f"generated code is not current (run `make protos`): {', '.join(names)}")
        print("generated code is current")
    else:
        generate(PROTOS)
