"""What the server needs to know of the workload. It imports this module; only workers import the phases."""

from lodestream_server.workloads.own import PhaseSpec, Workload

WORKLOAD = Workload(
    type="TopActivities",
    description="The most frequent activities of a CSV event log.",
    phases=[
        PhaseSpec("Counting", "top_activities.phases:count", weight=90, component="Counter"),
        PhaseSpec("Report", "top_activities.phases:report", weight=10, component="Reporter"),
    ],
    parameters={
        "type": "object",
        "required": ["datasetId", "activityColumn"],
        "additionalProperties": False,
        "properties": {
            "datasetId": {"type": "string", "format": "dataset"},
            "activityColumn": {"type": "string", "minLength": 1},
            "top": {"type": "integer", "minimum": 1, "maximum": 100},
        },
    },
)
