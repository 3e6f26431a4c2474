"""Connecting: ids, and what may be sent at once."""

import uuid

from clients import Clients

PEER_ID_LENGTH = 36


async def test_a_producer_gets_a_peer_id(clients: Clients) -> None:
    producer = await clients.producer("Bench camera").connect()

    assert len(producer.role.peer_id) == PEER_ID_LENGTH
    assert str(uuid.UUID(producer.role.peer_id)) == producer.role.peer_id
    assert producer.errors == []


async def test_a_consumer_gets_a_peer_id_and_a_session(clients: Clients) -> None:
    producer = await clients.producer("Bench camera").connect()

    consumer = await clients.consumer(producer.peer_id).connect()

    assert len(consumer.role.peer_id) == PEER_ID_LENGTH
    (at_consumer,) = await consumer.hears("new_session")
    (at_producer,) = await producer.hears("new_session")
    assert at_consumer.peer_id == producer.peer_id
    assert at_producer.peer_id == consumer.peer_id
    assert at_consumer.session_id == at_producer.session_id
    assert consumer.errors == producer.errors == []


async def test_every_connection_gets_its_own_peer_id(clients: Clients) -> None:
    connected = [await clients.plain(f"client {number}").connect() for number in range(5)]

    assert len({client.peer_id for client in connected}) == len(connected)


async def test_list_may_be_sent_before_welcome_was_read(clients: Clients) -> None:
    producer = await clients.producer("Bench camera").connect()
    hasty = clients.plain("hasty client")

    await hasty.signalling.connect()
    assert hasty.signalling.peer_id is None, "welcome was read before the test could be hasty"
    producers = await hasty.list_producers()

    assert producers == {producer.peer_id: {"name": "Bench camera"}}
    assert [event for event, _ in hasty.heard] == ["Welcome", "List"]
