import { onStage, playAndSee } from "./stage.mjs";

onStage("a page plays the camera that another page produces", async (stage) => {
  const producer = await stage.producing();
  const consumer = await stage.consumer();
  await consumer.tab.until("producerAdded", (peer) => peer.id === producer.id);

  await playAndSee(consumer.tab, producer.id);

  await producer.tab.until("clientConsumerAdded", (client) => client.peerId === consumer.id);
  producer.tab.assertNoProblems();
  consumer.tab.assertNoProblems();
});

onStage("two pages play the same producer at the same time", async (stage) => {
  const producer = await stage.producing();
  const first = await stage.consumer();
  const second = await stage.consumer();

  await Promise.all([playAndSee(first.tab, producer.id), playAndSee(second.tab, producer.id)]);

  for (const { tab } of [producer, first, second]) {
    tab.assertNoProblems();
  }
});
