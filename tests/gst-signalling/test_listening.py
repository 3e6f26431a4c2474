"""Listening: producers that come, change and go."""

from typing import Any

from clients import Client, Clients


async def status_of(listener: Client, peer: Client) -> tuple[list[str], Any]:
    """Return the roles and meta of the next change of this peer that the listener hears."""
    _, roles, meta = await listener.hears(
        "PeerStatusChanged", lambda peer_id, *_: peer_id == peer.peer_id
    )
    return roles, meta


async def test_a_listener_hears_a_producer_come_and_go(clients: Clients) -> None:
    listener = await clients.listener().connect()

    producer = await clients.producer("Bench camera").connect()
    assert await status_of(listener, producer) == (["producer"], {"name": "Bench camera"})

    await producer.close()
    assert await status_of(listener, producer) == ([], {"name": "Bench camera"})
    assert await listener.list_producers() == {}


async def test_a_listener_role_passes_the_event_on(clients: Clients) -> None:
    listener = clients.listener()
    passed_on: list[tuple[str, list[str], Any]] = []
    listener.role.on("PeerStatusChanged", lambda *args: passed_on.append(args))
    await listener.connect()

    producer = await clients.producer("Bench camera").connect()
    await status_of(listener, producer)

    assert passed_on[-1] == (producer.peer_id, ["producer"], {"name": "Bench camera"})


async def test_a_listener_hears_of_its_own_registration(clients: Clients) -> None:
    listener = await clients.listener("Wall display").connect()

    assert await status_of(listener, listener) == (["listener"], {"name": "Wall display"})


async def test_a_listener_hears_a_producer_being_renamed(clients: Clients) -> None:
    listener = await clients.listener().connect()
    producer = await clients.producer("Bench camera").connect()
    await status_of(listener, producer)

    await producer.signalling.set_peer_status(roles=["producer"], name="Lathe camera")

    assert await status_of(listener, producer) == (["producer"], {"name": "Lathe camera"})


async def test_a_listener_hears_a_producer_giving_up_its_role(clients: Clients) -> None:
    listener = await clients.listener().connect()
    producer = await clients.producer("Bench camera").connect()
    await status_of(listener, producer)

    await producer.signalling.set_peer_status(roles=[], name="Bench camera")

    assert await status_of(listener, producer) == ([], {"name": "Bench camera"})
    assert await listener.list_producers() == {}


async def test_a_listener_hears_of_a_broken_connection(clients: Clients) -> None:
    listener = await clients.listener().connect()
    producer = await clients.producer("Bench camera").connect()
    await status_of(listener, producer)

    await producer.break_connection()

    assert await status_of(listener, producer) == ([], {"name": "Bench camera"})
    assert await listener.list_producers() == {}


async def test_all_listeners_hear_the_same(clients: Clients) -> None:
    listeners = [await clients.listener(f"Display {number}").connect() for number in range(3)]
    producer = await clients.producer("Bench camera").connect()
    await producer.close()

    for listener in listeners:
        assert await status_of(listener, producer) == (["producer"], {"name": "Bench camera"})
        assert await status_of(listener, producer) == ([], {"name": "Bench camera"})


async def test_who_is_no_listener_hears_nothing(clients: Clients) -> None:
    bystander = await clients.producer("Door camera").connect()
    listener = await clients.listener().connect()
    producer = await clients.producer("Bench camera").connect()
    await status_of(listener, producer)

    # The reply to this follows any notification that the server had sent before.
    await bystander.list_producers()

    assert "PeerStatusChanged" not in [event for event, _ in bystander.heard]
