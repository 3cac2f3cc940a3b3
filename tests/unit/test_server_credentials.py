"""API keys, web tokens and tickets all end as a key that says who calls, with which role, and where."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from lodestream_server.grpc_door.credentials import Credentials, link_key
from lodestream_server.grpc_door.web_tokens import BadWebTokenSettings, WebTokens, WebTokenSettings
from lodestream_server.store.keys import ApiKey

from lodestream import tickets

SECRET = b"s" * 32
TENANT = "660e8400-e29b-41d4-a716-446655440000"
#: Instants that are the same in every process, so that tests keep their names: 2001 and 2100.
_PAST, _FUTURE = 10**9, 4_102_444_800


class Nobody:
    """Knows no key, and notes who was asked for."""

    def __init__(self):
        self.asked: list[str] = []

    async def check(self, secret: str) -> ApiKey | None:
        self.asked.append(secret)
        return None


def claims(**changes):
    """The claims of a good token; None leaves one out."""
    good = {"sub": "ada", "exp": time.time() + 60, "tenant_id": TENANT, "iss": "https://issuer", "aud": "lodestream"}
    return {name: value for name, value in (good | changes).items() if value is not None}


def part(document):
    """A part of a token, written by hand: libraries refuse to make bad ones."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.fixture
def shared(tmp_path):
    """Web tokens signed with a shared key, for one issuer and audience."""
    path = tmp_path / "key"
    path.write_bytes(SECRET + b"\n")
    return WebTokens(WebTokenSettings("https://issuer", "lodestream", None, path))


async def test_a_web_token_says_who_calls_where_and_how(shared):
    """The claims become name, role, tenant and project."""
    token = jwt.encode(claims(role="write", project_id="p"), SECRET)
    key = await Credentials(Nobody(), web_tokens=shared).check(token)
    assert key is not None
    assert (key.name, key.role, key.tenant_id, key.project_id) == ("ada", "write", TENANT, "p")
    good = claims()
    plain = await shared.check(jwt.encode(good, SECRET))
    assert (plain.role, plain.project_id) == ("read", None)
    assert plain.expires == datetime.fromtimestamp(int(good["exp"]), UTC)
    shouted = await shared.check(jwt.encode(claims(tenant_id=TENANT.upper(), project_id="P"), SECRET))
    assert (shouted.tenant_id, shouted.project_id) == (TENANT, "p")
    everywhere = await shared.check(jwt.encode(claims(tenant_id="*", role="admin"), SECRET))
    assert (everywhere.tenant_id, everywhere.role) == (None, "admin")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": _PAST},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 201},
        {"tenant_id": None},
        {"tenant_id": ""},
        {"tenant_id": 5},
        {"project_id": ["p"]},
        {"role": "owner"},
        {"role": 1},
        {"iss": "https://other"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"nbf": _FUTURE},
    ],
    ids=str,
)
async def test_a_token_that_is_over_or_lacks_something_is_none(shared, changes):
    """Nothing is guessed."""
    assert await shared.check(jwt.encode(claims(**changes), SECRET)) is None


async def test_a_token_of_another_key_or_none_is_none(shared):
    """Changed ones and unsigned ones too."""
    assert await shared.check(jwt.encode(claims(), b"o" * 32)) is None
    unsigned = ".".join(part(text) for text in ({"alg": "none", "typ": "JWT"}, claims()))
    assert await shared.check(f"{unsigned}.") is None
    head, body, signature = jwt.encode(claims(), SECRET).split(".")
    assert await shared.check(f"{head}.{body[:-2]}AA.{signature}") is None
    for text in ("..", "a.b.c", "\ud800.b.c"):
        assert await shared.check(text) is None


@pytest.mark.parametrize(
    ("made", "algorithm", "as_jwk"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RS256", RSAAlgorithm.to_jwk),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256", ECAlgorithm.to_jwk),
    ],
)
async def test_tokens_of_an_issuer_are_checked_with_its_public_keys(tmp_path, made, algorithm, as_jwk):
    """The one that the token names; a key that is not among them signs nothing."""
    private, other = made(), made()
    public = json.loads(as_jwk(private.public_key())) | {"kid": "one"}
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [public]}))
    tokens = WebTokens(WebTokenSettings("https://issuer", None, str(path), None))
    good = jwt.encode(claims(aud=None), private, algorithm=algorithm, headers={"kid": "one"})
    known = await tokens.check(good)
    assert known is not None
    assert known.name == "ada"
    assert (
        await tokens.check(jwt.encode(claims(aud=None), private, algorithm=algorithm, headers={"kid": "two"})) is None
    )
    assert await tokens.check(jwt.encode(claims(aud=None), other, algorithm=algorithm, headers={"kid": "one"})) is None


async def test_a_public_key_never_serves_as_a_shared_one(tmp_path):
    """A token signed with the bytes that everybody can read is refused."""
    private = rsa.generate_private_key(65537, 2048)
    public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [public]}))
    tokens = WebTokens(WebTokenSettings("https://issuer", None, str(path), None))
    said = ".".join(part(text) for text in ({"alg": "HS256", "typ": "JWT"}, claims(aud=None)))
    for known in (json.dumps(public).encode(), path.read_bytes()):
        forged = base64.urlsafe_b64encode(hmac.digest(known, said.encode(), "sha256")).rstrip(b"=").decode()
        assert await tokens.check(f"{said}.{forged}") is None


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (WebTokenSettings("https://issuer"), "Name either"),
        (WebTokenSettings(None, None, "/nowhere/jwks.json"), "name it"),
        (WebTokenSettings("https://issuer", None, "/nowhere/jwks.json"), "no set of public keys"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(settings, fault):
    """Not with the first call."""
    with pytest.raises(BadWebTokenSettings, match=fault):
        WebTokens(settings)


def test_a_shared_key_that_is_too_short_is_refused(tmp_path):
    """It could be guessed."""
    path = tmp_path / "key"
    path.write_bytes(b"short")
    with pytest.raises(BadWebTokenSettings, match="32 bytes"):
        WebTokens(WebTokenSettings(shared_key=path))
    with pytest.raises(BadWebTokenSettings, match="No such file"):
        WebTokens(WebTokenSettings(shared_key=tmp_path / "missing"))


async def test_a_ticket_lets_a_reader_into_its_project(tmp_path):
    """For a minute; the key of the links is made once and kept."""
    key = link_key(tmp_path)
    assert link_key(tmp_path) == key
    assert (tmp_path / "link-key").stat().st_mode & 0o777 == 0o600
    known = Credentials(Nobody(), link_key=key, clock=lambda: 1000.0)
    found = await known.check(tickets.issue(key, "tenant", "project", 990.0))
    assert found is not None
    assert (found.role, found.tenant_id, found.project_id) == ("read", "tenant", "project")
    assert found.created == datetime.fromtimestamp(1000, UTC)
    assert await known.check(tickets.issue(key, "tenant", "project", 900.0)) is None
    assert await Credentials(Nobody()).check(tickets.issue(key, "tenant", "project", 990.0)) is None


async def test_everything_else_is_an_api_key(shared):
    """Web tokens are only looked for where they are set up."""
    nobody = Nobody()
    known = Credentials(nobody)
    await known.check("lode_secret")
    await known.check("a.b.c")
    assert nobody.asked == ["lode_secret", "a.b.c"]
    await Credentials(nobody, web_tokens=shared).check("a.b.c")
    assert nobody.asked == ["lode_secret", "a.b.c"]
