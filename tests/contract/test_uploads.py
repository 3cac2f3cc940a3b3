"""When an upload counts: a connection that breaks can look like its end, so only the footer makes it whole."""

import pytest

from lodestream.errors import BadDataset, Malformed
from lodestream.v1 import dataset_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

Part = dataset_pb2.UploadDatasetRequest


def header(world, **fields):
    """The first message of an upload."""
    return Part(header=Part.Header(**world.scope, dataset_name="A log", **fields))


async def stored(world):
    """How many datasets the project has."""
    answer = await world.door.call("DatasetService/ListDatasets", dataset_pb2.ListDatasetsRequest(**world.scope))
    return len(answer.datasets)


async def test_an_upload_without_its_footer_stores_nothing(world):
    """The parts were all well; that they were all is what nobody said."""
    with pytest.raises(Malformed, match="footer"):
        await world.door.send("DatasetService/UploadDataset", [header(world), Part(chunk=b"case,activity\n1,A\n")])
    assert await stored(world) == 0


async def test_nothing_comes_after_the_footer(world):
    """A chunk that does shows that somebody miscounted."""
    parts = [header(world), Part(footer=Part.Footer()), Part(chunk=b"case,activity\n1,A\n")]
    with pytest.raises(Malformed, match="after the footer"):
        await world.door.send("DatasetService/UploadDataset", parts)
    assert await stored(world) == 0


@pytest.mark.parametrize("where", ["header", "footer"])
async def test_a_file_that_is_not_the_promised_one_is_refused(world, where):
    """The digest may be known at the beginning or only at the end; either holds."""
    wrong = {"sha256": "0" * 64}
    first = header(world, **(wrong if where == "header" else {}))
    last = Part(footer=Part.Footer(**(wrong if where == "footer" else {})))
    with pytest.raises(BadDataset, match="SHA-256"):
        await world.door.send("DatasetService/UploadDataset", [first, Part(chunk=b"case,activity\n1,A\n"), last])
    assert await stored(world) == 0
