"""The committed stubs are what the protos give, and the tool that says so can tell when they are not."""

import importlib
import subprocess
from pathlib import Path

import pytest

from tools import protos

COMPILER = protos.ROOT / ".venv-protos" / "bin" / "python"

GREETING = 'syntax = "proto3";\n\npackage lodestream.v1;\n\nmessage Greeting {}\n'
SERVICE = "\nservice GreetingService {\n}\n"


def write(path: Path, text: str) -> None:
    """A small file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_proto_has_its_stubs_and_every_stub_its_proto():
    """Nothing is missing and nothing is left over, whether or not a compiler is at hand."""
    stubs = {name for name in protos.expected_files(protos.ROOT / "protos") if not name.endswith("__init__.py")}
    assert stubs == protos.committed_files(protos.ROOT)


@pytest.mark.skipif(not COMPILER.exists(), reason="the stub compiler is not installed; `make check` installs it")
def test_the_committed_stubs_are_what_the_protos_give():
    """`make protos` would leave no diff."""
    done = subprocess.run(
        [COMPILER, "-m", "tools.protos", "--check"], cwd=protos.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("proto", protos.proto_files(protos.ROOT / "protos"))
def test_every_stub_loads_on_the_runtime_we_pin(proto):
    """Stubs refuse a runtime that is older than their compiler; ours must be newer."""
    module = importlib.import_module(proto.removesuffix(".proto").replace("/", ".") + "_pb2")
    assert proto == module.DESCRIPTOR.name


def test_only_a_proto_with_a_service_calls_for_grpc_stubs(tmp_path):
    """A file of plain messages gets no empty gRPC module."""
    write(tmp_path / "lodestream/v1/plain.proto", GREETING)
    write(tmp_path / "lodestream/v1/served.proto", GREETING + SERVICE)
    assert protos.expected_files(tmp_path) == {
        "src/lodestream/v1/__init__.py",
        "src/lodestream/v1/plain_pb2.py",
        "src/lodestream/v1/plain_pb2.pyi",
        "src/lodestream/v1/served_pb2.py",
        "src/lodestream/v1/served_pb2.pyi",
        "src/lodestream/v1/served_pb2_grpc.py",
        "src/lodestream/v1/served_pb2_grpc.pyi",
    }


def test_each_package_has_its_shelf():
    """A proto of the worker or of the mock is generated beside the code that uses it, not into the shared package."""
    assert protos.shelf_of("lodestream/v1/job.proto") == "src"
    assert protos.shelf_of("lodestream_server/worker/v1/worker.proto") == "server"
    assert protos.shelf_of("lodestream_mock/v1/control.proto") == "mockserver"


def test_a_proto_of_an_unknown_package_is_refused_by_name():
    """The message names the file and the packages that there are."""
    with pytest.raises(ValueError, match=r"protos/lodestraem/v1/job\.proto.*lodestream, lodestream_server"):
        protos.shelf_of("lodestraem/v1/job.proto")


def test_a_changed_a_missing_and_an_orphan_stub_are_each_named(tmp_path):
    """Whoever reads the failure knows which files to look at."""
    generated, root = tmp_path / "generated", tmp_path / "root"
    for name in ("a", "b", "c"):
        write(generated / f"src/lodestream/v1/{name}_pb2.py", name)
    write(root / "src/lodestream/v1/a_pb2.py", "a")
    write(root / "src/lodestream/v1/b_pb2.py", "edited by hand")
    write(root / "src/lodestream/v1/old_pb2.py", "of a proto that is gone")

    stale = protos.stale_files(generated, root, [f"src/lodestream/v1/{name}_pb2.py" for name in ("a", "b", "c")])

    assert stale == [
        "src/lodestream/v1/b_pb2.py: differs from what its proto gives",
        "src/lodestream/v1/c_pb2.py: missing",
        "src/lodestream/v1/old_pb2.py: orphan, no proto calls for it",
    ]


def test_installing_writes_what_differs_and_removes_orphans_only(tmp_path):
    """Hand-written modules beside the stubs stay, and an up-to-date stub keeps its time stamp."""
    generated, root = tmp_path / "generated", tmp_path / "root"
    write(generated / "src/lodestream/v1/a_pb2.py", "new")
    write(generated / "src/lodestream/v1/b_pb2.py", "same")
    for name, text in {"a_pb2": "old", "b_pb2": "same", "gone_pb2": "orphan", "handwritten": "ours"}.items():
        write(root / f"src/lodestream/v1/{name}.py", text)
    untouched = (root / "src/lodestream/v1/b_pb2.py").stat().st_mtime_ns

    protos.install(generated, root, ["src/lodestream/v1/a_pb2.py", "src/lodestream/v1/b_pb2.py"])

    left = {path.name: path.read_text() for path in (root / "src/lodestream/v1").iterdir()}
    assert left == {"a_pb2.py": "new", "b_pb2.py": "same", "handwritten.py": "ours"}
    assert (root / "src/lodestream/v1/b_pb2.py").stat().st_mtime_ns == untouched
