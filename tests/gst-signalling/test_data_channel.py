"""Data channels between real webrtcbins, negotiated over the server."""

from typing import Any

from clients import Client, Clients
from data_channel import accepting_channels, opening_channels
from loopback import is_confined

LABEL = "chat"


def is_description(kind: str) -> Any:
    return lambda _session_id, message: message.get("sdp", {}).get("type") == kind


def is_candidate(_session_id: str, message: dict[str, Any]) -> bool:
    return "ice" in message


def assert_stayed_on_loopback(*clients: Client) -> None:
    candidates = [
        args[1]["ice"]["candidate"]
        for client in clients
        for event, args in client.heard
        if event == "Peer" and "ice" in args[1]
    ]
    assert candidates
    assert all(map(is_confined, candidates)), candidates


async def test_ping_and_pong(clients: Clients) -> None:
    producer = clients.producer("Bench camera")
    producer_ends = opening_channels(producer, LABEL)
    await producer.connect()
    consumer = clients.consumer(producer.peer_id)
    consumer_ends = accepting_channels(consumer)
    await consumer.connect()

    (session,) = await consumer.hears("new_session")
    at_producer = await producer_ends.of(session.session_id)
    await at_producer.send("ping")
    at_consumer = await consumer_ends.of(session.session_id)
    assert await at_consumer.receive() == "ping"
    await at_consumer.send("pong")
    assert await at_producer.receive() == "pong"

    assert at_consumer.label == LABEL
    await consumer.hears("Peer", is_description("offer"))
    await consumer.hears("Peer", is_candidate)
    await producer.hears("Peer", is_description("answer"))
    await producer.hears("Peer", is_candidate)
    assert producer.errors == consumer.errors == []
    assert_stayed_on_loopback(producer, consumer)


async def test_two_consumers_at_once(clients: Clients) -> None:
    producer = clients.producer("Bench camera")
    producer_ends = opening_channels(producer, LABEL)
    await producer.connect()
    consumers = [clients.consumer(producer.peer_id, f"consumer {number}") for number in (1, 2)]
    consumer_ends = [accepting_channels(consumer) for consumer in consumers]
    sessions = []
    for consumer in consumers:
        await consumer.connect()
        (session,) = await consumer.hears("new_session")
        sessions.append(session.session_id)
    assert sessions[0] != sessions[1]

    at_producer = [await producer_ends.of(session_id) for session_id in sessions]
    for number, end in enumerate(at_producer, start=1):
        await end.send(f"ping {number}")
    at_consumers = [
        await ends.of(session_id) for ends, session_id in zip(consumer_ends, sessions, strict=True)
    ]
    for number, end in enumerate(at_consumers, start=1):
        assert await end.receive() == f"ping {number}"
        await end.send(f"pong {number}")
    for number, end in enumerate(at_producer, start=1):
        assert await end.receive() == f"pong {number}"
    assert not any(end.has_unread() for end in [*at_producer, *at_consumers])

    # The other conversation goes on when one consumer leaves.
    await consumers[0].close()
    assert await producer.hears("EndSession") == (sessions[0],)
    await at_producer[1].send("still there?")
    assert await at_consumers[1].receive() == "still there?"
    await at_consumers[1].send("yes")
    assert await at_producer[1].receive() == "yes"

    assert list(producer.role.sessions) == [sessions[1]]
    assert producer.errors == []
    assert_stayed_on_loopback(producer, *consumers)
