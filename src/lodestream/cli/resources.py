"""`lodestream resources register | list | show | delete`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lodestream.cli.failing import Usage
from lodestream.cli.output import document, fields, moment, note, table
from lodestream.cli.session import Session, command
from lodestream.cli.submit import parameters


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(no_args_is_help=True, help="What jobs refer to: pipelines, notebooks, process models.")
    app.add_typer(group, name="resources", rich_help_panel="Event logs")
    _register(group)
    _list(group)
    _show(group)
    _delete(group)


def _register(group: typer.Typer) -> None:
    @command(
        group,
        "register",
        examples="""
        lodestream resources register waiting-times.ipynb
        lodestream resources register reference.pnml --name "As it should be"
        lodestream resources register --pipeline "Monthly" --type ProcessMining --param filterNoise=true
        """,
    )
    async def register_(
        session: Session,
        file: Annotated[
            Path | None,
            typer.Argument(help="A notebook (.ipynb) or a model (PNML, BPMN).", exists=True, dir_okay=False),
        ] = None,
        pipeline: Annotated[
            str | None, typer.Option("--pipeline", metavar="NAME", help="Default parameters instead of a file.")
        ] = None,
        name: Annotated[str, typer.Option("--name", "-n", help="Name for people; the file's otherwise.")] = "",
        description: Annotated[str, typer.Option("--description", help="More for people.")] = "",
        type_word: Annotated[
            str | None, typer.Option("--type", "-t", metavar="TYPE", help="Pipelines: of which jobs; all otherwise.")
        ] = None,
        param: Annotated[
            list[str] | None,
            typer.Option("--param", metavar="KEY=VALUE", help="A parameter; the value is JSON, or else a text."),
        ] = None,
        params_file: Annotated[
            Path | None, typer.Option("--params-file", metavar="FILE", help="JSON object of parameters.")
        ] = None,
    ) -> None:
        """Register a file, or default parameters as a pipeline.

        A job refers to it by its id: as its resource, or in a parameter such as modelResourceId.
        """
        if (file is None) == (pipeline is None):
            raise Usage("Give a file, or --pipeline NAME for default parameters.")
        if file is not None and (type_word or param or params_file):
            raise Usage("--type, --param and --params-file belong to --pipeline; what a file is, its content says.")
        if file is not None:
            resource = await session.client.register_file(file, name=name, description=description)
        else:
            given = parameters(params_file, param or [])
            resource = await session.client.register_pipeline(
                str(pipeline), job_type=type_word, parameters=given, description=description
            )
        session.answer(resource, lambda: describe(document(resource)))


def _list(group: typer.Typer) -> None:
    @command(
        group,
        "list",
        examples="""
        lodestream resources list
        lodestream resources list --type Model --json
        """,
    )
    async def list_(
        session: Session,
        type_word: Annotated[
            str | None, typer.Option("--type", "-t", metavar="TYPE", help="Pipeline, Notebook or Model.")
        ] = None,
        limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=100, help="At most so many.")] = 20,
        page_token: Annotated[str, typer.Option("--page-token", help="Goes on where an answer ended.")] = "",
    ) -> None:
        """List the resources of the project, newest first."""
        page = await session.client.resources(type=type_word, page_size=limit).page(page_token)
        session.answer(page, lambda: _show_page(document(page)))


def _show(group: typer.Typer) -> None:
    @command(group, "show", examples="lodestream resources show ID")
    async def show(
        session: Session, resource_id: Annotated[str, typer.Argument(metavar="ID", help="Resource.")]
    ) -> None:
        """Show a resource: what it is, and a pipeline's parameters."""
        resource = await session.client.resource(resource_id)
        session.answer(resource, lambda: describe(document(resource)))


def _delete(group: typer.Typer) -> None:
    @command(group, "delete", examples="lodestream resources delete ID")
    async def delete(
        session: Session, resource_id: Annotated[str, typer.Argument(metavar="ID", help="Resource.")]
    ) -> None:
        """Delete a resource and its file. Refused while a run that refers to it has not ended."""
        from lodestream.v1.resource_pb2 import DeleteResourceResponse

        await session.client.delete_resource(resource_id)
        session.answer(DeleteResourceResponse(resource_id=resource_id), lambda: note(f"Deleted {resource_id}."))


def describe(resource: dict[str, Any]) -> None:
    """Prints a resource's JSON for people."""
    fields(
        {
            "Id": resource.get("resourceId"),
            "Type": resource.get("resourceType"),
            "Name": resource.get("resourceName"),
            "Description": resource.get("resourceDescription"),
            "Jobs": resource.get("jobType"),
            "Size": resource.get("size"),
            "Registered": moment(resource.get("dateCreated")),
            **resource.get("parameters", {}),
        }
    )


def _show_page(page: dict[str, Any]) -> None:
    rows = [
        (
            resource.get("resourceId"),
            resource.get("resourceType"),
            resource.get("resourceName"),
            resource.get("jobType"),
            resource.get("size"),
            moment(resource.get("dateCreated")),
        )
        for resource in page["resources"]
    ]
    if not rows:
        note("No resources yet: lodestream resources register FILE")
        return
    table(("ID", "TYPE", "NAME", "JOBS", "SIZE", "REGISTERED"), rows, right=("SIZE",))
    if token := page.get("nextPageToken"):
        note(f"There are more: --page-token {token}")
