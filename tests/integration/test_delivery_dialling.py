"""Where deliveries may go: however an inner address is spelled, named or hidden behind a redirect, nobody is called."""

import asyncio
import ssl

import httpcore
import pytest
import trustme
from lodestream_server.delivery.dialling import AddressRefused, Allowed, GuardedBackend, NameUnknown
from lodestream_server.delivery.endpoints import RetryPolicy
from lodestream_server.delivery.posting import LARGEST_ANSWER, Poster

from tests.integration.delivery_world import SCOPE, delivering, receiving, settings, webhook, whole_run

PUBLIC = "93.184.216.34"
REFUSED = "private, loopback or link-local"


class Dialled(httpcore.AsyncMockBackend):
    """Opens nothing; notes the address it was to connect to."""

    def __init__(self) -> None:
        super().__init__([b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n", b"\r\n"])
        self.hosts: list[str] = []

    async def connect_tcp(self, host, *rest, **named):
        """See httpcore."""
        self.hosts.append(host)
        return await super().connect_tcp(host, *rest, **named)


def _resolver(*answers: list[str]):
    """Gives the answers in turn, the last one for ever; counts how often it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int):
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "0",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "0.0.0.0",  # noqa: S104  # dialled, not bound
    ],
)
async def test_no_spelling_of_loopback_is_connected_to(spelling):
    """The receiver that listens there sees no connection."""
    async with receiving() as receiver, Poster(settings(allow_networks=())) as poster:
        answer = await poster.post(f"http://{spelling}:{receiver.port}/", {}, b"{}")
        assert answer.status is None
        assert REFUSED in (answer.error or "")
        assert receiver.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104  # dialled, not bound
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001:0:7f00:1::",
    ],
)
def test_addresses_that_are_not_public_are_refused(address):
    """Also those that hide inside another one."""
    assert not Allowed()(address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_addresses_are_allowed(address):
    """In both families."""
    assert Allowed()(address)


def test_the_configuration_allows_networks_and_nothing_beside_them():
    """A mapped address is allowed with the network of its inner one."""
    allowed = Allowed(["10.1.0.0/16", "fd00::/8"])
    assert all(map(allowed, ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3", PUBLIC)))
    assert not any(map(allowed, ("10.2.0.1", "fc00::1", "127.0.0.1", "::ffff:10.2.0.1")))


async def test_the_address_that_was_checked_is_the_one_that_is_dialled():
    """The name is asked for once per connection; a second answer has no chance to differ."""
    resolve, asked = _resolver([PUBLIC], ["127.0.0.1"])
    dialled = Dialled()
    backend = GuardedBackend(Allowed(), resolve, dialled)
    async with Poster(settings(allow_networks=()), backend) as poster:
        assert (await poster.post("http://rebinding.example/", {}, b"{}")).well
    assert (asked, dialled.hosts) == (["rebinding.example"], [PUBLIC])


async def test_a_name_that_turns_inward_is_refused_from_then_on():
    """Each new connection is checked anew; the receiver inside sees none."""
    async with receiving() as inside:
        resolve, asked = _resolver([PUBLIC], ["127.0.0.1"])
        dialled = Dialled()
        async with Poster(settings(allow_networks=()), GuardedBackend(Allowed(), resolve, dialled)) as poster:
            assert (await poster.post("http://rebinding.example/", {}, b"{}")).well
        async with Poster(settings(allow_networks=()), GuardedBackend(Allowed(), resolve)) as poster:
            answer = await poster.post(f"http://rebinding.example:{inside.port}/", {}, b"{}")
        assert answer.status is None
        assert REFUSED in (answer.error or "")
        assert len(asked) == 2
        assert inside.connections == 0


@pytest.mark.parametrize("addresses", [[PUBLIC, "127.0.0.1"], ["10.0.0.1", PUBLIC], []])
async def test_a_name_with_any_inner_address_is_refused_whole(addresses):
    """A name that points inside and outside at once is a trick; one that points nowhere leads nowhere."""
    resolve, _ = _resolver(addresses)
    dialled = Dialled()
    with pytest.raises(AddressRefused):
        await GuardedBackend(Allowed(), resolve, dialled).connect_tcp("both.example", 80)
    assert dialled.hosts == []


async def test_a_name_that_does_not_exist_says_so():
    """Without a trace of the resolver's own words."""

    async def nowhere(host: str, port: int):
        raise NameUnknown(host)

    async with Poster(settings(), GuardedBackend(Allowed(), nowhere)) as poster:
        assert (await poster.post("http://nowhere.invalid/", {}, b"{}")).error == "the name cannot be resolved"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_a_way(tmp_path, status):
    """The address it points to sees no connection; the delivery has failed with that status."""
    async with receiving() as inside, receiving() as outside, delivering(tmp_path) as world:
        outside.behave = lambda _: (status, f"location: {inside.url()}")
        hook = webhook(outside.url(), "operation.completed", retry=RetryPolicy(1, 0.0))
        await world.delivery.webhooks.register(SCOPE, hook)
        await whole_run(world.store, "op-1")
        await outside.until(lambda r: len(r.got) == 2)
        assert inside.connections == 0


async def test_registering_calls_and_resolves_nothing(tmp_path):
    """An inner address and a name that does not exist are both registered; the refusal comes with the attempt."""
    async with receiving() as receiver, delivering(tmp_path, allow_networks=()) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url()))
        await hooks.register(SCOPE, webhook("http://does-not-exist.invalid/"))
        answer = await hooks.ping(SCOPE, hook.endpoint_id)
        assert REFUSED in (answer.error or "")
        assert receiver.connections == 0


async def test_the_environment_names_no_proxy_for_us(monkeypatch):
    """A proxy would dial for us, unchecked."""
    async with receiving() as proxy, receiving() as receiver, Poster(settings()) as poster:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        assert (await poster.post(receiver.url(), {}, b"{}")).well
        assert proxy.connections == 0


async def test_tls_asks_for_the_name_though_an_address_is_dialled(tmp_path):
    """A certificate of the name is good, one of another name is not."""
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    answers = []
    for name in ("hooks.example", "other.example"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
        resolve, _ = _resolver(["127.0.0.1"])
        allowed = Allowed(["127.0.0.1/32"])
        async with (
            receiving(ssl=context) as receiver,
            Poster(settings(ca_file=ca_file), GuardedBackend(allowed, resolve)) as poster,
        ):
            answers.append(await poster.post(f"https://hooks.example:{receiver.port}/", {}, b"{}"))
    assert answers[0].well
    assert (answers[1].status, answers[1].error) == (None, "no connection")


async def test_of_an_endless_answer_only_the_beginning_is_read():
    """64 KiB, then the connection is closed; the status counts."""
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                sent += 65536
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server, Poster(settings(attempt_s=10.0)) as poster:
        answer = await poster.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"")
    assert answer.well
    assert len(answer.body) == LARGEST_ANSWER
    assert sent < 64 * 1024 * 1024


async def test_a_receiver_that_drips_is_left_at_the_time_limit():
    """A byte now and then keeps no attempt alive."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, Poster(settings(attempt_s=0.2)) as poster:
        answer = await poster.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"")
    assert answer.error == "no answer in time"
    assert answer.took_s < 2
