"""The parameters that name an event log's columns, where the caller does so instead of having them detected."""

from lodestream_server.workloads.parameters import Parameter

COLUMNS = tuple(
    Parameter(name)
    for name in ("caseIdColumn", "activityNameColumn", "activityTimeColumn", "startTimeColumn", "resourceColumn")
)
