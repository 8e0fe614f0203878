"""Where a carrier listens, what protects it there, and how it stops."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest

from shopmesh.server.grpc.sessions import accept_everyone
from tests.contract.carriers.conftest import ECHO, Service, Serving
from tests.support.certificates import RenewableCertificate


async def echo(channel: grpc.aio.Channel, text: bytes) -> bytes:
    stream = channel.stream_stream(ECHO)()  # type: ignore[call-arg]  # written to below
    await stream.write(text)
    answer = await stream.read()
    stream.cancel()
    assert isinstance(answer, bytes)
    return answer


async def serial_number(port: int, certificate: RenewableCertificate) -> str:
    """Of the certificate that a client sees that trusts the authority and speaks HTTP/2."""
    context = ssl.create_default_context(cadata=certificate.authority.bundle.decode())
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    tls = writer.get_extra_info("ssl_object")
    assert tls.selected_alpn_protocol() == "h2"
    writer.transport.abort()
    return str(tls.getpeercert()["serialNumber"])


async def test_streams_come_over_tls_with_the_certificate_of_the_moment(serving: Serving) -> None:
    """Each handshake shows the current one; open streams go on."""
    certificate = RenewableCertificate()
    async with serving(Service(), certificate=certificate) as port:
        trust = grpc.ssl_channel_credentials(certificate.authority.bundle)
        async with grpc.aio.secure_channel(f"localhost:{port}", trust) as channel:
            assert await echo(channel, b"before") == b"before"
            first = await serial_number(port, certificate)
            certificate.renew()
            second = await serial_number(port, certificate)
            assert await echo(channel, b"after") == b"after"

    assert first != second


async def test_a_socket_may_have_any_path(serving: Serving) -> None:
    """Also one whose characters mean something in a URI; it is gone when the carrier is."""
    with tempfile.TemporaryDirectory(prefix="shop mesh %41 ", dir="/tmp") as folder:
        path = Path(folder) / "xds.sock"
        carrier = serving.make(Service().methods(), accept_everyone)
        carrier.bind_socket(path)
        await carrier.start()
        async with grpc.aio.insecure_channel(f"unix:{quote(str(path))}") as channel:
            assert await echo(channel, b"here") == b"here"
        await carrier.stop()

        assert not path.exists()


async def test_a_port_that_is_taken_is_an_error(serving: Serving) -> None:
    """Two control planes on one port would each have half of the proxies."""
    async with serving(Service()) as port:
        second = serving.make({}, accept_everyone)
        with pytest.raises(OSError, match=str(port)):
            second.bind_port("127.0.0.1", port, None)
        await second.stop()


async def test_streams_end_as_unavailable_when_the_carrier_stops(serving: Serving) -> None:
    """So that proxies come again, to whichever control plane is there then."""
    service = Service()
    async with serving(service) as port:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stream = channel.stream_stream(ECHO)()  # type: ignore[call-arg]  # written to below
        await stream.write(b"one")
        assert await stream.read() == b"one"

    assert await asyncio.wait_for(stream.code(), 10) == grpc.StatusCode.UNAVAILABLE
    await asyncio.wait_for(service.sessions[0].closed.wait(), 10)
    await channel.close(None)
