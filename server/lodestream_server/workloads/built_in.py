"""Every type of work that the documentation names."""

from lodestream_server.workloads.catalogue import Catalogue
from lodestream_server.workloads.declared import analysis, enrichment, mining, notebook, reports

BUILT_IN = Catalogue(
    (
        mining.JOB,
        mining.OPERATION,
        enrichment.JOB,
        enrichment.OPERATION,
        analysis.JOB,
        notebook.JOB,
        reports.OPERATION,
    )
)
