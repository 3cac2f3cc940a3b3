"""`lodestream tokens create | list | revoke`: API keys, for administrators."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from lodestream.cli import arguments
from lodestream.cli.failing import Usage
from lodestream.cli.output import document, fields, moment, note, print_json, table
from lodestream.cli.session import Session, command

#: What is a span of time and no year: it has a unit.
_SPAN: Final = re.compile(r"[\d.]+\s*[a-z]+", re.IGNORECASE)


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke. Takes an administrator's key.")
    app.add_typer(group, name="tokens", rich_help_panel="Server")
    _create(group)
    _list(group)
    _revoke(group)


def _create(group: typer.Typer) -> None:
    @command(
        group,
        "create",
        examples="""
        lodestream tokens create nightly --role write
        lodestream tokens create dashboard --role read --this-project
        lodestream tokens create operator --role admin --every-tenant
        lodestream tokens create visitor --role read --expires 12h
        """,
    )
    async def create(
        session: Session,
        name: Annotated[str, typer.Argument(help="Shown as the one who submitted or cancelled.")],
        role: Annotated[str, typer.Option("--role", "-r", help="read, write or admin.")] = "write",
        this_project: Annotated[
            bool, typer.Option("--this-project", help="Good for the project in use only, not the whole tenant.")
        ] = False,
        every_tenant: Annotated[bool, typer.Option("--every-tenant", help="Good for every tenant.")] = False,
        expires: Annotated[
            str | None,
            typer.Option("--expires", "-x", help="Refused from then on: 30d, 12h, or 2027-01-31. [default: never]"),
        ] = None,
    ) -> None:
        """Create an API key for the tenant in use and print its token, which is shown this once.

        The token is the only line on stdout, so that it can be kept in a variable.
        """
        if this_project and every_tenant:
            raise Usage("--this-project and --every-tenant exclude each other.")
        scope = session.client.settings
        answer = await session.client.create_key(
            name,
            role,
            tenant_id=None if every_tenant else scope.tenant_id,
            project_id=scope.project_id if this_project else None,
            expires_at=_end(expires),
        )
        if session.as_json:
            print_json(answer)
            return
        typer.echo(answer.token)
        key = document(answer.key)
        until = f", until {moment(key['expiresAt'])}" if key.get("expiresAt") else ""
        note(f"Key {key['prefix']}… ({key['role']}) for {_reach(key)}{until}. Only its hash is kept; note it now.")


def _end(text: str | None) -> datetime | None:
    """When a key expires: a span from now, or an instant."""
    if text is None:
        return None
    if _SPAN.fullmatch(text.strip()):
        return datetime.now(UTC) + arguments.span(text, "--expires")
    return arguments.instant(text, "--expires")


def _list(group: typer.Typer) -> None:
    @command(
        group,
        "list",
        examples="""
        lodestream tokens list
        lodestream tokens list --revoked --json
        """,
    )
    async def list_(
        session: Session,
        revoked: Annotated[bool, typer.Option("--revoked", help="With those revoked or expired.")] = False,
    ) -> None:
        """List API keys, newest first. Tokens are not kept, only their beginnings."""
        from lodestream.v1.key_pb2 import ListKeysResponse

        answer = ListKeysResponse(keys=await session.client.keys(include_revoked=revoked))
        session.answer(answer, lambda: _show(document(answer)["keys"]))


def _revoke(group: typer.Typer) -> None:
    @command(group, "revoke", examples="lodestream tokens revoke lode_x7Fq")
    async def revoke(
        session: Session,
        prefix: Annotated[str, typer.Argument(help="The visible beginning of its token.")],
    ) -> None:
        """Revoke an API key: its next call is refused."""
        key = await session.client.revoke_key(prefix)
        session.answer(key, lambda: _show_key(document(key)))


def _show(keys: list[dict[str, Any]]) -> None:
    rows = [
        (key["prefix"], key["name"], key["role"], _reach(key), moment(key.get("lastUsedAt")) or "never", _state(key))
        for key in keys
    ]
    table(("PREFIX", "NAME", "ROLE", "GOOD FOR", "LAST USED", "STATE"), rows)


def _show_key(key: dict[str, Any]) -> None:
    fields({"Prefix": key["prefix"], "Name": key["name"], "Role": key["role"], "State": _state(key)})


def _reach(key: dict[str, Any]) -> str:
    if project := key.get("projectId"):
        return f"project {project}"
    tenant = key.get("tenantId")
    return f"tenant {tenant}" if tenant else "every tenant"


def _state(key: dict[str, Any]) -> str:
    if revoked := key.get("revokedAt"):
        return f"revoked {moment(revoked)}"
    if not (expires := key.get("expiresAt")):
        return "good"
    over = arguments.instant(expires, "expiresAt") <= datetime.now(UTC)
    return f"{'expired' if over else 'until'} {moment(expires)}"
