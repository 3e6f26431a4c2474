"""The library's consumer receives what our webrtcsink sends."""

from pathlib import Path

from clients import Clients
from reception import Reception
from signalling_server import SignallingServer
from wigwag_sink import listed_sink, running_sink

ENOUGH = 60


async def test_pictures_and_sound_arrive(
    server: SignallingServer, clients: Clients, tmp_path: Path
) -> None:
    with running_sink(server, tmp_path / "sink.log"):
        consumer = clients.consumer(await listed_sink(server))
        reception = Reception(consumer)
        await consumer.connect()

        await reception.has("VP8", ENOUGH)
        await reception.has("OPUS", ENOUGH)

        assert consumer.errors == []
        await consumer.close()


async def test_a_second_consumer_receives_and_its_end_leaves_the_first_alone(
    server: SignallingServer, clients: Clients, tmp_path: Path
) -> None:
    with running_sink(server, tmp_path / "sink.log"):
        sink = await listed_sink(server)
        first, second = clients.consumer(sink, "first"), clients.consumer(sink, "second")
        receptions = [Reception(first), Reception(second)]
        for consumer, reception in zip((first, second), receptions, strict=True):
            await consumer.connect()
            await reception.has("VP8", ENOUGH)

        await second.close()

        await receptions[0].has("VP8", 3 * ENOUGH)
        assert first.errors == second.errors == []
        await first.close()
