"""Where to call, as whom, for which tenant and project: flags, then environment, then files.

Called by the clients and the command line. Imports no grpc, so that `--help` and usage errors stay quick.
A token that comes from a file is only ever sent to the target that the same file names.
"""

import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from lodestream.client.problems import BadSetting

DEFAULT_TARGET: Final = "127.0.0.1:50051"
#: Tenants and projects need no set-up; these two are meant for trying things on one's own machine.
DEFAULT_TENANT: Final = "00000000-0000-4000-8000-000000000001"
DEFAULT_PROJECT: Final = "00000000-0000-4000-8000-000000000002"
#: Where `make serve` and `lodestream serve --ready-file data/ready.json` leave address and token.
DEFAULT_READY_FILE: Final = Path("data/ready.json")

#: The layers that are given for this very call.
_SPOKEN: Final = ("the command", "the environment")

Layers: TypeAlias = list[tuple[str, Mapping[str, str]]]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KEYS: Final = ("target", "token", "tenant", "project", "root_certs", "ready_file")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs to know. `source` tells where the target came from, for error messages."""

    target: str
    token: str | None = field(default=None, repr=False)
    tenant_id: str = DEFAULT_TENANT
    project_id: str = DEFAULT_PROJECT
    root_certs: Path | None = None
    source: str = "the default"


def load_settings(
    target: str | None = None,
    token: str | None = None,
    tenant_id: str | None = None,
    project_id: str | None = None,
    root_certs: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force: what is given here, then LODESTREAM_* variables, then the config file, then a ready file.

    Raises BadSetting for a file that cannot be read and for a tenant or project that is no GUID.
    """
    env = os.environ if environ is None else environ
    given = _layer(target, token, tenant_id, project_id, root_certs)
    variables = {key: env[name] for key in _KEYS if env.get(name := f"LODESTREAM_{key.upper()}")}
    file_path, file = config_file(env), {}
    if file_path.is_file() or env.get("LODESTREAM_CONFIG"):
        file = _read_config(file_path)
    layers: Layers = [("the command", given), ("the environment", variables), (str(file_path), file)]
    ready_path, ready = _ready(layers)
    if ready:
        layers.append((str(ready_path), ready))
    values, source = _merge(layers)
    return Settings(
        target=values.get("target", DEFAULT_TARGET),
        token=values.get("token"),
        tenant_id=_guid("tenant", values.get("tenant", DEFAULT_TENANT)),
        project_id=_guid("project", values.get("project", DEFAULT_PROJECT)),
        root_certs=Path(values["root_certs"]) if values.get("root_certs") else None,
        source=source,
    )


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """The config file: LODESTREAM_CONFIG, or config.toml in the user's configuration folder. It may not exist."""
    env = os.environ if environ is None else environ
    if named := env.get("LODESTREAM_CONFIG"):
        return Path(named).expanduser()
    import platformdirs  # not at the top: `--help` needs no folders

    return Path(platformdirs.user_config_dir("lodestream")) / "config.toml"


def _layer(
    target: str | None, token: str | None, tenant: str | None, project: str | None, certs: str | Path | None
) -> dict[str, str]:
    found = {"target": target, "token": token, "tenant": tenant, "project": project, "root_certs": certs}
    return {key: str(value) for key, value in found.items() if value}


def _merge(layers: Layers) -> tuple[dict[str, str], str]:
    """The first value of each key; tokens of files stay with the target of their file."""
    values: dict[str, str] = {}
    source = "the default"
    for name, layer in layers:
        is_file = name not in _SPOKEN
        foreign = is_file and layer.get("target", values.get("target")) != values.get("target") and "target" in values
        for key, value in layer.items():
            if key == "token" and foreign:
                continue
            if key == "target" and key not in values:
                source = name
            values.setdefault(key, value)
    return values, source


def _read_config(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadSetting(f"There is no config file {path}; LODESTREAM_CONFIG names it.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"The config file {path} cannot be read: {error}.") from None
    unknown = sorted(set(document) - set(_KEYS))
    if unknown:
        raise BadSetting(f"The config file {path} has the unknown key {unknown[0]}; known are {', '.join(_KEYS)}.")
    return {key: _text(path, key, value) for key, value in document.items() if value != ""}


def _text(path: Path, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadSetting(f'In the config file {path}, {key} must be a text: {key} = "…".')
    return value


def _ready(layers: Layers) -> tuple[Path, dict[str, str]]:
    """Address and token from a ready file: the named one must be there, the default one may be."""
    named = next((layer["ready_file"] for _, layer in layers if layer.get("ready_file")), None)
    path = Path(named).expanduser() if named else DEFAULT_READY_FILE
    if not named and not _is_ours_alone(path):
        return path, {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return path, {"target": str(document["grpc"]), "token": str(document["token"])}
    except FileNotFoundError:
        raise BadSetting(f"There is no ready file {path}; a server writes it when it answers.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise BadSetting(f"The ready file {path} cannot be read; start the server again, or remove the file.") from None


def _is_ours_alone(path: Path) -> bool:
    """Whether a file is there that only this user can have written: nobody else's folder may redirect our calls."""
    try:
        found = path.lstat()
    except OSError:
        return False
    owner = getattr(os, "getuid", lambda: found.st_uid)()
    return stat.S_ISREG(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077


def _guid(name: str, value: str) -> str:
    if not _GUID.fullmatch(value):
        raise BadSetting(f"The {name} must be a GUID like {DEFAULT_TENANT}, not {value[:80]!r}; any GUID will do.")
    return value.lower()
