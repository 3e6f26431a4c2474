"""Sessions: relaying, ending, and calls that cannot be put through."""

import pytest

from clients import Client, Clients

OFFER = {"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"}
ANSWER = {"type": "answer", "sdp": "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"}
CANDIDATE = {
    "candidate": "candidate:1 1 UDP 2015363327 127.0.0.1 50000 typ host",
    "sdpMLineIndex": 0,
}
END_OF_CANDIDATES = {"candidate": "", "sdpMLineIndex": 0}
UNKNOWN_PEER = "5bd0cbd1-8f0c-4f4e-9a0f-3f6c7c1b9a10"


async def plain_session(clients: Clients) -> tuple[Client, Client, str]:
    """Return two clients without media, the caller last, and their session."""
    callee = await clients.plain("callee").connect()
    await callee.signalling.set_peer_status(roles=["producer"], name="Bench camera")
    await callee.list_producers()
    caller = await clients.plain("caller").connect()
    await caller.signalling.start_session(callee.peer_id)
    peer_id, session_id = await caller.hears("SessionStarted")
    assert peer_id == callee.peer_id
    assert await callee.hears("StartSession") == (caller.peer_id, session_id)
    return callee, caller, session_id


async def test_descriptions_and_candidates_reach_the_other_side_unchanged(
    clients: Clients,
) -> None:
    callee, caller, session_id = await plain_session(clients)

    for kind, message in (("sdp", OFFER), ("ice", CANDIDATE), ("ice", END_OF_CANDIDATES)):
        await callee.signalling.send_peer_message(session_id, kind, message)
        assert await caller.hears("Peer") == (session_id, {kind: message})
    for kind, message in (("sdp", ANSWER), ("ice", CANDIDATE), ("ice", END_OF_CANDIDATES)):
        await caller.signalling.send_peer_message(session_id, kind, message)
        assert await callee.hears("Peer") == (session_id, {kind: message})


@pytest.mark.parametrize("ended_by", ["producer", "consumer"])
async def test_ending_a_session_tells_the_other_side(clients: Clients, ended_by: str) -> None:
    producer = await clients.producer("Bench camera").connect()
    consumer = await clients.consumer(producer.peer_id).connect()
    (session,) = await consumer.hears("new_session")
    await producer.hears("new_session")
    ending, told = (producer, consumer) if ended_by == "producer" else (consumer, producer)

    await ending.role.close_session(session.session_id)

    assert await told.hears("EndSession") == (session.session_id,)
    # The library answers EndSession by ending the session once more; nobody may mind.
    await told.list_producers()
    await ending.list_producers()
    assert told.role.sessions == ending.role.sessions == {}
    assert told.errors == ending.errors == []


@pytest.mark.parametrize("how", ["close", "break_connection"])
@pytest.mark.parametrize("leaver", ["producer", "consumer"])
async def test_leaving_ends_the_session_for_the_other_side(
    clients: Clients, leaver: str, how: str
) -> None:
    producer = await clients.producer("Bench camera").connect()
    consumer = await clients.consumer(producer.peer_id).connect()
    (session,) = await consumer.hears("new_session")
    await producer.hears("new_session")
    leaving, told = (producer, consumer) if leaver == "producer" else (consumer, producer)

    await getattr(leaving, how)()

    assert await told.hears("EndSession") == (session.session_id,)
    await told.list_producers()
    assert told.role.sessions == {}
    assert told.errors == []


async def test_a_producer_giving_up_its_role_ends_its_sessions(clients: Clients) -> None:
    callee, caller, session_id = await plain_session(clients)

    await callee.signalling.set_peer_status(roles=[], name="Bench camera")

    assert await caller.hears("EndSession") == (session_id,)


async def test_ending_one_session_leaves_the_others_alone(clients: Clients) -> None:
    callee, caller, first = await plain_session(clients)
    await caller.signalling.start_session(callee.peer_id)
    _, second = await caller.hears("SessionStarted")
    assert second != first

    await caller.signalling.end_session(first)
    assert await callee.hears("EndSession") == (first,)

    await callee.signalling.send_peer_message(second, "sdp", OFFER)
    assert await caller.hears("Peer") == (second, {"sdp": OFFER})


async def test_calling_an_unknown_peer_is_an_error_that_the_connection_survives(
    clients: Clients,
) -> None:
    producer = await clients.producer("Bench camera").connect()
    caller = await clients.plain("caller").connect()

    await caller.signalling.start_session(UNKNOWN_PEER)
    (details,) = await caller.hears("Error")
    assert UNKNOWN_PEER in details

    await caller.signalling.start_session(producer.peer_id)
    peer_id, _ = await caller.hears("SessionStarted")
    assert peer_id == producer.peer_id


async def test_a_consumer_of_an_unknown_producer_hears_an_error(clients: Clients) -> None:
    consumer = await clients.consumer(UNKNOWN_PEER).connect()

    (details,) = await consumer.hears("Error")

    assert UNKNOWN_PEER in details
    assert consumer.role.sessions == {}
    assert await consumer.list_producers() == {}


async def test_calling_a_peer_that_produces_nothing_is_an_error(clients: Clients) -> None:
    idle = await clients.plain("idle client").connect()
    caller = await clients.plain("caller").connect()

    await caller.signalling.start_session(idle.peer_id)

    (details,) = await caller.hears("Error")
    assert idle.peer_id in details
    assert await caller.list_producers() == {}
    assert idle.errors == []
