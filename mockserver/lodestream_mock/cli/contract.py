"""`lodestream verify`: whether a server keeps the contract."""

import json
from typing import Annotated

import typer

from lodestream_mock.cli.output import GRPC, out, say


def verify(
    grpc: Annotated[str, typer.Option(help="gRPC address of the server.")] = GRPC,
    rest: Annotated[str, typer.Option(help='REST address, http://host:port; "none" leaves that door out.')] = "",
    token: Annotated[str, typer.Option(envvar="LODESTREAM_TOKEN", help="API key.")] = "mock",
    tenant: Annotated[str, typer.Option(help="Tenant to work in.")] = "22222222-2222-4222-8222-222222222222",
    project: Annotated[str, typer.Option(help="Project to work in.")] = "33333333-3333-4333-8333-333333333333",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document instead of lines.")] = False,
) -> None:
    """Run the contract against any server: documented keys, types, words, status codes, stream rules."""
    from lodestream_mock.verifier import checks
    from lodestream_mock.verifier.target import Target, Unreachable

    target = Target(grpc, "" if rest in ("", "none") else rest, token, tenant, project)
    try:
        findings = checks.run(target)
    except Unreachable as error:
        say(str(error))
        raise typer.Exit(3) from None
    finally:
        target.close()
    if as_json:
        out(json.dumps([finding.as_dict() for finding in findings], indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            out(str(finding))
        drift = [finding for finding in findings if finding.drift]
        out(f"{len(findings)} checks, {len(drift)} drift from the contract")
    raise typer.Exit(1 if any(finding.drift for finding in findings) else 0)
