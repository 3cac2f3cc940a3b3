"""Settings come from the nearest place that names them, and a key never travels to a server it is not for."""

import json
from pathlib import Path

import pytest

from lodestream.client.channel import resolve
from lodestream.client.problems import BadSetting
from lodestream.client.settings import DEFAULT_PROJECT, DEFAULT_TENANT, Settings, load_settings

GUID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """No ready file or config file of the developer takes part."""
    monkeypatch.chdir(tmp_path)


def config(folder: Path, text: str) -> dict[str, str]:
    """The environment that names a config file with this text."""
    path = folder / "config.toml"
    path.write_text(text)
    return {"LODESTREAM_CONFIG": str(path)}


def ready_file(path: Path, target: str = "127.0.0.1:7", mode: int = 0o600) -> Path:
    """A ready file as the server writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"grpc": target, "token": "ready-token"}))
    path.chmod(mode)
    return path


def nowhere(folder: Path) -> dict[str, str]:
    """An environment whose config file is empty."""
    return config(folder, "")


def test_without_anything_the_server_is_the_one_on_this_machine(tmp_path):
    """Loopback, the well-known tenant and project for trying things, and no key."""
    settings = load_settings(environ=nowhere(tmp_path))
    assert settings == Settings("127.0.0.1:50051", None, DEFAULT_TENANT, DEFAULT_PROJECT)


def test_arguments_win_over_the_environment_and_that_over_the_file(tmp_path):
    """Each setting is looked up on its own."""
    environ = config(tmp_path, f'target = "file:1"\ntenant = "{GUID}"\nproject = "{GUID}"')
    environ |= {"LODESTREAM_TARGET": "env:1", "LODESTREAM_TENANT": DEFAULT_TENANT, "LODESTREAM_TOKEN": "env-token"}
    settings = load_settings("arg:1", environ=environ)
    assert (settings.target, settings.source) == ("arg:1", "the command")
    assert settings.token == "env-token"
    assert (settings.tenant_id, settings.project_id) == (DEFAULT_TENANT, GUID)


def test_a_key_in_a_file_is_not_sent_to_another_target(tmp_path):
    """Whoever names another server does not hand it the key of the one in the file."""
    environ = config(tmp_path, 'target = "mine:1"\ntoken = "mine"')
    assert load_settings(environ=environ).token == "mine"
    assert load_settings("mine:1", environ=environ).token == "mine"
    assert load_settings("theirs:1", environ=environ).token is None


def test_a_key_in_a_file_without_a_target_is_good_for_the_target_in_use(tmp_path):
    """A file that names no server leaves that to the user."""
    assert load_settings("any:1", environ=config(tmp_path, 'token = "t"')).token == "t"


def test_the_ready_file_of_a_server_started_here_is_found(tmp_path):
    """After `make serve` in the same folder nothing needs to be set."""
    ready_file(tmp_path / "data/ready.json")
    settings = load_settings(environ=nowhere(tmp_path))
    assert (settings.target, settings.token) == ("127.0.0.1:7", "ready-token")
    assert load_settings("elsewhere:1", environ=nowhere(tmp_path)).token is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_ready_file_that_others_can_read_or_write_is_not_believed(tmp_path, mode):
    """A folder from somebody else cannot redirect our calls: the server writes its file for its owner alone."""
    ready_file(tmp_path / "data/ready.json", mode=mode)
    assert load_settings(environ=nowhere(tmp_path)).target == "127.0.0.1:50051"


def test_a_link_in_the_place_of_a_ready_file_is_not_followed(tmp_path):
    """It could lead anywhere."""
    real = ready_file(tmp_path / "real.json")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ready.json").symlink_to(real)
    assert load_settings(environ=nowhere(tmp_path)).token is None


def test_a_named_ready_file_must_be_there(tmp_path):
    """The environment may name one anywhere; then a missing one is an error and not a surprise."""
    environ = nowhere(tmp_path) | {"LODESTREAM_READY_FILE": str(ready_file(tmp_path / "r.json", "127.0.0.1:9"))}
    assert load_settings(environ=environ).target == "127.0.0.1:9"
    with pytest.raises(BadSetting, match="no ready file"):
        load_settings(environ=environ | {"LODESTREAM_READY_FILE": str(tmp_path / "missing.json")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("target = ", "cannot be read"),
        ("targt = 'x'", "unknown key targt"),
        ("token = 7", "token must be a text"),
        ("tenant = 'acme'", "must be a GUID"),
    ],
)
def test_a_config_file_with_a_fault_is_named_with_the_fault(tmp_path, text, said):
    """The user learns which file, which key, and what to write."""
    with pytest.raises(BadSetting, match=said):
        load_settings(environ=config(tmp_path, text))


def test_a_config_file_that_was_named_must_be_there(tmp_path):
    """A typo in LODESTREAM_CONFIG does not silently mean the defaults."""
    with pytest.raises(BadSetting, match="no config file"):
        load_settings(environ={"LODESTREAM_CONFIG": str(tmp_path / "none.toml")})


def test_the_key_is_not_shown_where_settings_are_printed():
    """A log of settings holds no secret."""
    assert "secret" not in repr(Settings("x:1", "secret"))


@pytest.mark.parametrize(
    ("target", "address", "secure"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False),
        ("localhost:5", "localhost:5", False),
        ("[::1]:5", "[::1]:5", False),
        ("127.8.9.1", "127.8.9.1:50051", False),
        ("unix:/run/lodestream.sock", "unix:/run/lodestream.sock", False),
        ("mining.example.org:50051", "mining.example.org:50051", True),
        ("10.0.0.7:5", "10.0.0.7:5", True),
        ("https://mining.example.org", "mining.example.org:443", True),
        ("https://localhost:5/", "localhost:5", True),
        ("http://10.0.0.7:5", "10.0.0.7:5", False),
        ("grpcs://10.0.0.7:5", "10.0.0.7:5", True),
        ("127.0.0.1.example.org:5", "127.0.0.1.example.org:5", True),
    ],
)
def test_only_loopback_goes_without_tls_unless_asked_for(target, address, secure):
    """The key travels in every call, so plain text to another machine must be meant."""
    assert resolve(Settings(target)) == (address, secure)


def test_certificates_turn_tls_on_everywhere(tmp_path):
    """A user who names certificates wants them used."""
    assert resolve(Settings("127.0.0.1:5", root_certs=tmp_path / "ca.pem")) == ("127.0.0.1:5", True)


@pytest.mark.parametrize(
    "target", ["", "ftp://x:1", "host:port", "host:0", "host:70000", "http://h/x", "a@b:1", "::1:5"]
)
def test_what_is_no_address_is_refused_with_an_example(target):
    """Before anything is dialled."""
    with pytest.raises(BadSetting, match=r"127\.0\.0\.1:50051"):
        resolve(Settings(target))
