"""What an agent would see: one visit to a site, by the clients that agents use."""

import asyncio
from io import BytesIO

import dns.asyncquery
import dns.message
import dns.rcode
import pycurl

from faultline_collector.lab.sites import LOGIN_BODY
from faultline_collector.lab.stage import Stage
from faultline_collector.lab.world import RESOLVER_PORT, Part, Vantage

PATIENCE_MS = 1500


def curl(stage: Stage, vantage: Vantage, part: Part, body: str = LOGIN_BODY) -> tuple[int, int, str]:
    """A fresh HTTP(S) request: libcurl's code, HTTP status, body."""
    answer = BytesIO()
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"{part.transport}://{part.name}:{part.port}/")
    handle.setopt(pycurl.CONNECT_TO, [f"::{stage.world.address(vantage, part.service)}:{part.port}"])
    handle.setopt(pycurl.CAINFO, str(stage.certificates.authority))
    handle.setopt(pycurl.TIMEOUT_MS, PATIENCE_MS)
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.WRITEDATA, answer)
    if part.id == "login":
        handle.setopt(pycurl.POSTFIELDS, body)
    code = 0
    try:
        handle.perform()
    except pycurl.error as error:
        code = int(error.args[0])
    status = int(handle.getinfo(pycurl.RESPONSE_CODE))
    handle.close()
    return code, status, answer.getvalue().decode()


async def visit(stage: Stage, vantage: Vantage, part: Part, body: str = LOGIN_BODY) -> tuple[int, int, str]:
    """`curl` beside the loop that serves it."""
    return await asyncio.to_thread(curl, stage, vantage, part, body)


async def greet(address: str, port: int) -> str:
    """Connects and reads the greeting; an error or a time-out by name."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            reader, writer = await asyncio.open_connection(address, port)
            return (await reader.readline()).decode().strip() or "nothing"
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    finally:
        if writer is not None:
            writer.close()


async def look_up(stage: Stage, vantage: Vantage, name: str) -> tuple[str, list[str]]:
    """Asks the agent's resolver: rcode and addresses, or `silent`."""
    question = dns.message.make_query(name, "A")
    resolver = stage.world.resolver(vantage)
    try:
        reply = await dns.asyncquery.udp(question, resolver, port=RESOLVER_PORT, timeout=PATIENCE_MS / 1000)
    except dns.exception.Timeout:
        return "silent", []
    return dns.rcode.to_text(reply.rcode()), [str(item) for rrset in reply.answer for item in rrset]
