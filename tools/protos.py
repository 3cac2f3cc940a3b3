"""Generates the Python stubs from `protos/`, and tells which committed ones no longer fit.

`make protos` runs it with the interpreter of `.venv-protos`, which alone holds the pinned compiler: stubs refuse
runtimes older than the compiler that wrote them, so the compiler is the oldest that serves us and cannot live beside
the newest runtime. Keeps true: a `.proto` at `protos/<package path>` gets its stubs in that import package, a folder of
stubs holds no orphan, and the same protos give the same bytes on every machine. Needs the standard library only.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: First folder under `protos/` -> the shelf in the repository on which that import package stands.
SHELVES = {"lodestream": "src", "lodestream_server": "server", "lodestream_mock": "mockserver"}

#: What a stub file can be called; nothing else in the repository may end like this.
STUB_PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class CompilerFailed(Exception):
    """protoc refused the protos; its own words are the message."""


def proto_files(protos: Path) -> list[str]:
    """Every `.proto` below `protos`, as POSIX paths relative to it, sorted."""
    return sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))


def shelf_of(proto: str) -> str:
    """The shelf of a proto path. Raises ValueError naming the known packages when its first folder is none of ours."""
    package = proto.split("/", 1)[0]
    if package not in SHELVES:
        raise ValueError(f"protos/{proto}: the first folder must be one of {', '.join(SHELVES)}, not {package!r}")
    return SHELVES[package]


def has_service(proto: Path) -> bool:
    """Whether a proto declares a service; only then does it get gRPC stubs."""
    return any(line.startswith("service ") for line in proto.read_text(encoding="utf-8").splitlines())


def expected_files(protos: Path) -> set[str]:
    """The generated files that `protos` calls for, as POSIX paths relative to the repository."""
    files: set[str] = set()
    for proto in proto_files(protos):
        stem = f"{shelf_of(proto)}/{proto.removesuffix('.proto')}"
        files |= {f"{stem}_pb2.py", f"{stem}_pb2.pyi", f"{stem.rsplit('/', 1)[0]}/__init__.py"}
        if has_service(protos / proto):
            files |= {f"{stem}_pb2_grpc.py", f"{stem}_pb2_grpc.pyi"}
    return files


def committed_files(root: Path) -> set[str]:
    """The stub files that stand on the shelves below `root`, whether or not a proto still calls for them."""
    shelves = {root / shelf for shelf in SHELVES.values()}
    stubs = (path for shelf in shelves for pattern in STUB_PATTERNS for path in shelf.rglob(pattern))
    return {path.relative_to(root).as_posix() for path in stubs}


def stale_files(generated: Path, root: Path, expected: Iterable[str]) -> list[str]:
    """What is missing, differs or is an orphan below `root` compared with `generated`: one sentence a file, sorted."""
    expected = set(expected)
    stale = [f"{name}: orphan, no proto calls for it" for name in committed_files(root) - expected]
    for name in expected:
        if not (root / name).exists():
            stale.append(f"{name}: missing")
        elif (root / name).read_bytes() != (generated / name).read_bytes():
            stale.append(f"{name}: differs from what its proto gives")
    return sorted(stale)


def google_protos() -> Path:
    """The folder that holds `google/api/annotations.proto` and its kin: where googleapis-common-protos is installed."""
    spec = importlib.util.find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        raise CompilerFailed("googleapis-common-protos is not installed here; run `make protos`, which brings it along")
    return Path(next(iter(spec.submodule_search_locations))).parents[1]


def protoc(protos: Path, files: Sequence[str], *options: str) -> None:
    """Runs the pinned compiler over `files`. Raises CompilerFailed with its messages."""
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"--proto_path={protos}", f"--proto_path={google_protos()}"),
        *(f"--plugin=protoc-gen-mypy={plugin}", f"--plugin=protoc-gen-mypy_grpc={plugin}_grpc"),
        *(*options, *files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerFailed(done.stderr.strip() or done.stdout.strip())


def generate(protos: Path, into: Path) -> None:
    """Writes every generated file below `into`, laid out like the repository. Raises CompilerFailed."""
    for shelf in sorted(set(SHELVES.values())):
        out = into / shelf
        out.mkdir(parents=True, exist_ok=True)
        files = [proto for proto in proto_files(protos) if shelf_of(proto) == shelf]
        if files:
            protoc(protos, files, f"--python_out={out}", f"--mypy_out=quiet:{out}")
        if served := [proto for proto in files if has_service(protos / proto)]:
            # Concrete servicer stubs: with abstract ones a servicer that leaves an RPC to a later release fails mypy.
            options = "quiet,generate_concrete_servicer_stubs"
            protoc(protos, served, f"--grpc_python_out={out}", f"--mypy_grpc_out={options}:{out}")
        for package in {Path(proto).parent for proto in files}:
            text = f'"""Generated from `protos/{package.as_posix()}` by `make protos`; never edited."""\n'
            (out / package / "__init__.py").write_text(text, encoding="utf-8")


def write_image(protos: Path, image: Path) -> None:
    """Writes the descriptors of our own protos with their comments, for `buf lint`, which then needs no network."""
    image.parent.mkdir(parents=True, exist_ok=True)
    options = (f"--descriptor_set_out={image}", "--include_imports", "--include_source_info")
    protoc(protos, proto_files(protos), *options)


def install(generated: Path, root: Path, expected: Iterable[str]) -> None:
    """Copies generated files into the repository, leaving those untouched that already fit, and removes orphans."""
    expected = set(expected)
    for name in expected:
        target, data = root / name, (generated / name).read_bytes()
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for name in committed_files(root) - expected:
        (root / name).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: generate (default), `--check`, or `--image FILE`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.protos", description="Generate the stubs from protos/.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail naming the stubs out of date")
    parser.add_argument("--image", type=Path, help="write the descriptor image that buf lints, and nothing else")
    options = parser.parse_args(arguments)
    protos = ROOT / "protos"
    try:
        if options.image:
            write_image(protos, options.image)
            return 0
        expected = expected_files(protos)
        with tempfile.TemporaryDirectory(prefix="lodestream-protos-") as folder:
            generate(protos, Path(folder))
            if not options.check:
                install(Path(folder), ROOT, expected)
                return 0
            stale = stale_files(Path(folder), ROOT, expected)
    except (CompilerFailed, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in stale:
        print(line, file=sys.stderr)
    if stale:
        print("run `make protos` and commit what it writes", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
