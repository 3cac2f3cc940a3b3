"""Pickles run code when they are opened: the service writes some for its users and never opens any."""

import ast
import pickle

import pytest
from lodestream_server.workloads.phase import BadInput
from lodestream_server.workloads.process_models.model_files import read_model
from lodestream_server.workloads.sniffing import sniff

from tests.support.server import ROOT

#: Modules whose reading functions open pickles, also under other names.
OPENERS = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "skops"}


class Bomb:
    """Creates a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        """What opening does."""
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["log.csv", "log.pkl", "log.parquet"])
def test_a_pickle_is_no_dataset(tmp_path, protocol, name):
    """Of whatever protocol, under whatever name; and it is not opened."""
    path, mark = tmp_path / name, tmp_path / "opened"
    path.write_bytes(pickle.dumps(Bomb(mark), protocol))
    with pytest.raises(BadInput, match="a pickle"):
        sniff(path, name)
    assert not mark.exists()


def test_a_pickle_is_no_process_model(tmp_path):
    """Models are PNML or BPMN."""
    path, mark = tmp_path / "model.pnml", tmp_path / "opened"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(BadInput, match="pickle"):
        read_model(path)
    assert not mark.exists()


def test_no_code_of_ours_opens_pickles():
    """Nothing is called `load` or `loads` of such a module; `allow_pickle` is never on."""
    found = []
    for folder in ("server", "src", "mockserver"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Attribute(value=ast.Name(id=module), attr="load" | "loads" | "Unpickler" | "open"):
                        if module in OPENERS:
                            found.append((path.name, module))
                    case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in OPENERS:
                        found.append((path.name, module))
                    case ast.keyword(arg="allow_pickle"):
                        found.append((path.name, "allow_pickle"))
    assert found == []
