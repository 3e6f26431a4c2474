"""Finding producers: the list, and the look-ups that the library builds on it."""

import asyncio
import sys
from pathlib import Path

import pytest
from gst_signalling import utils

from clients import Clients
from deadline import deadline
from script import call_from_script
from signalling_server import SignallingServer


async def producer_list(server: SignallingServer) -> object:
    async with deadline(lambda: "get_list did not return"):
        return await utils.get_list(server.host, server.port)


async def test_a_fresh_server_lists_nobody(server: SignallingServer) -> None:
    assert await producer_list(server) == {}
    assert await call_from_script(utils.get_producer_list, server.host, server.port) == {}


async def test_one_producer_is_listed_with_its_name(
    server: SignallingServer, clients: Clients
) -> None:
    producer = await clients.producer("Bench camera").connect()

    expected = {producer.peer_id: {"name": "Bench camera"}}
    assert await producer_list(server) == expected
    assert await call_from_script(utils.get_producer_list, server.host, server.port) == expected


async def test_only_producers_are_listed(server: SignallingServer, clients: Clients) -> None:
    names = ["Bench camera", "Door camera", "Roof camera"]
    producers = [await clients.producer(name).connect() for name in names]
    await clients.listener().connect()
    await clients.plain().connect()
    await clients.consumer(producers[0].peer_id).connect()

    assert await producer_list(server) == {
        producer.peer_id: {"name": name} for producer, name in zip(producers, names, strict=True)
    }


async def test_a_renamed_producer_is_listed_under_its_new_name(
    server: SignallingServer, clients: Clients
) -> None:
    producer = await clients.producer("Bench camera").connect()

    await producer.signalling.set_peer_status(roles=["producer"], name="Lathe camera")
    await producer.list_producers()

    assert await producer_list(server) == {producer.peer_id: {"name": "Lathe camera"}}


async def test_a_producer_that_left_is_no_longer_listed(
    server: SignallingServer, clients: Clients
) -> None:
    listener = await clients.listener().connect()
    leaving = await clients.producer("Bench camera").connect()
    staying = await clients.producer("Door camera").connect()

    await leaving.close()
    await listener.hears(
        "PeerStatusChanged", lambda peer_id, roles, _: peer_id == leaving.peer_id and roles == []
    )

    assert await producer_list(server) == {staying.peer_id: {"name": "Door camera"}}


@pytest.mark.parametrize("name", ["Bench camera", "Süd-Tor «2» 🎥", ""])
async def test_a_producer_is_found_by_its_name(
    server: SignallingServer, clients: Clients, name: str
) -> None:
    await clients.producer("Door camera").connect()
    wanted = await clients.producer(name).connect()
    await clients.producer("Roof camera").connect()

    async with deadline(lambda: "async_find_producer_peer_id_by_name did not return"):
        found = await utils.async_find_producer_peer_id_by_name(server.host, server.port, name)
    found_by_script = await call_from_script(
        utils.find_producer_peer_id_by_name, server.host, server.port, name
    )

    assert found == found_by_script == wanted.peer_id


async def test_an_unknown_name_is_a_key_error(server: SignallingServer, clients: Clients) -> None:
    await clients.producer("Bench camera").connect()

    with pytest.raises(KeyError, match="Producer Lathe camera not found"):
        async with deadline(lambda: "async_find_producer_peer_id_by_name did not return"):
            await utils.async_find_producer_peer_id_by_name(
                server.host, server.port, "Lathe camera"
            )
    with pytest.raises(KeyError, match="Producer Lathe camera not found"):
        await call_from_script(
            utils.find_producer_peer_id_by_name, server.host, server.port, "Lathe camera"
        )


async def test_the_list_command_prints_the_producers(
    server: SignallingServer, clients: Clients
) -> None:
    producer = await clients.producer("Bench camera").connect()

    command = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("gst-webrtc-producer-list")),
        f"--signalling-host={server.host}",
        f"--signalling-port={server.port}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with deadline(lambda: "gst-webrtc-producer-list did not end"):
            output, complaints = await command.communicate()
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()

    assert command.returncode == 0, complaints.decode()
    assert f"{producer.peer_id}: {{'name': 'Bench camera'}}" in output.decode()
