"""What a server offers: every type of work that the documentation names, and its users' own."""

from lodestream_server.workloads import plugins
from lodestream_server.workloads.catalogue import Catalogue
from lodestream_server.workloads.declared import analysis, enrichment, mining, notebook, reports

#: The documented types; notebooks are off.
BUILT_IN = Catalogue(
    (
        mining.JOB,
        mining.OPERATION,
        enrichment.JOB,
        enrichment.OPERATION,
        analysis.JOB,
        notebook.OFF,
        reports.OPERATION,
    )
)


def offered(*, notebooks: bool = False) -> Catalogue:
    """The documented types, notebooks if they are turned on, and the own workloads that are installed."""
    documented = [notebook.JOB if notebooks and spec is notebook.OFF else spec for spec in BUILT_IN]
    return Catalogue((*documented, *plugins.specs(documented)))
