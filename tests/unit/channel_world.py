"""Servicers made of functions, behind a LocalChannel."""

from typing import Any

from lodestream.local_channel import LocalChannel
from lodestream.v1.dataset_pb2_grpc import DatasetServiceServicer, add_DatasetServiceServicer_to_server
from lodestream.v1.job_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server


def channel_to(**methods: Any) -> LocalChannel:
    """A channel to servicers whose methods are these functions."""
    channel, jobs, datasets = LocalChannel(), JobServiceServicer(), DatasetServiceServicer()
    for name, function in methods.items():
        setattr(datasets if name == "UploadDataset" else jobs, name, function)
    add_JobServiceServicer_to_server(jobs, channel)
    add_DatasetServiceServicer_to_server(datasets, channel)
    return channel


def jobs(**methods: Any) -> Any:
    """A stub of the job service on such a channel."""
    return JobServiceStub(channel_to(**methods))
