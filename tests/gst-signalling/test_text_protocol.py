"""Two and three clients of the text protocol send each other pictures by webrtcbin."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from signalling_server import SignallingServer
from text_peer import TextPeer

ENOUGH = 30

Register = Callable[[str], Awaitable[TextPeer]]


@pytest.fixture
async def register(server: SignallingServer) -> AsyncIterator[Register]:
    """Register peers, and close them before the server stops."""
    peers: list[TextPeer] = []

    async def register(peer_id: str) -> TextPeer:
        url = f"ws://{server.host}:{server.port}/text"
        peers.append(await TextPeer.register(url, peer_id))
        return peers[-1]

    try:
        yield register
    finally:
        for peer in peers:
            await peer.close()


@pytest.mark.parametrize("ask_for_offer", [False, True], ids=["offer", "offer-request"])
async def test_one_calls_another_and_both_see_pictures(
    register: Register,
    ask_for_offer: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    caller, called = await register("4711"), await register("Zoë's")
    called.await_call()

    await caller.call("Zoë's", ask_for_offer=ask_for_offer)

    for peer in (caller, called):
        call = await peer.call_with("partner")
        await call.has(ENOUGH)
        assert call.offered == ((peer is caller) != ask_for_offer)

    await caller.close()
    assert await called.end() == (1000, "")


async def test_three_in_a_room_see_each_other_and_newcomers_offer(register: Register) -> None:
    peers = [await register(name) for name in ("first", "second", "third")]
    found = [await peer.enter("the-room") for peer in peers]
    assert found == [[], ["first"], ["first", "second"]]

    for peer, those_found in zip(peers, found, strict=True):
        for other in peers:
            if other is not peer:
                call = await peer.call_with(other.peer_id)
                await call.has(ENOUGH)
                assert call.offered == (other.peer_id in those_found)

    await peers[1].close()
    for peer in (peers[0], peers[2]):
        await peer.told_that_left("second")
        assert peer.left == ["second"]
    call = peers[0].calls["third"]
    await call.has(call.frames + ENOUGH)
