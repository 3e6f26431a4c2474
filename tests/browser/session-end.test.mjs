import assert from "node:assert/strict";
import { onStage, playAndSee } from "./stage.mjs";

/** Enough to know that a session is up; how well it plays is another test's question. */
const FEW = { frames: 10 };

onStage("the producer hears a consumer end its session, and can be played again", async (stage) => {
  const producer = await stage.producing();
  const consumer = await stage.consumer();
  await playAndSee(consumer.tab, producer.id, FEW);
  const client = await producer.tab.until("clientConsumerAdded");
  assert.equal(client.peerId, consumer.id);

  await consumer.tab.page.evaluate(() => window.consumer.stop());

  assert.deepEqual(await producer.tab.until("clientConsumerRemoved"), client);
  assert.deepEqual(await consumer.tab.until("consumerSessionClosed"), {
    peerId: producer.id,
    sessionId: client.sessionId,
  });

  // Both sides said that the session ends; had the server minded the second, the page would know by now.
  await playAndSee(consumer.tab, producer.id, FEW);
  const next = await producer.tab.until("clientConsumerAdded");
  assert.equal(next.peerId, consumer.id);
  assert.notEqual(next.sessionId, client.sessionId);
  producer.tab.assertNoProblems();
  consumer.tab.assertNoProblems();
});

onStage("a consumer hears the producer end its session, and can play again", async (stage) => {
  const producer = await stage.producing();
  const consumer = await stage.consumer();
  await playAndSee(consumer.tab, producer.id, FEW);
  const client = await producer.tab.until("clientConsumerAdded");

  await producer.tab.page.evaluate((id) => window.producer.dismiss(id), client.sessionId);

  assert.deepEqual(await consumer.tab.until("consumerSessionClosed"), {
    peerId: producer.id,
    sessionId: client.sessionId,
  });
  assert.deepEqual(await producer.tab.until("clientConsumerRemoved"), client);

  await playAndSee(consumer.tab, producer.id, FEW);
  assert.deepEqual(producer.tab.all("producerSessionClosed"), [], "the producer went on");
  producer.tab.assertNoProblems();
  consumer.tab.assertNoProblems();
});

onStage("every consumer hears a producer stop", async (stage) => {
  const producer = await stage.producing();
  const first = await stage.consumer();
  const second = await stage.consumer();
  await Promise.all([playAndSee(first.tab, producer.id, FEW), playAndSee(second.tab, producer.id, FEW)]);

  await producer.tab.page.evaluate(() => window.producer.stop());

  for (const { tab } of [first, second]) {
    await tab.until("consumerSessionClosed", (session) => session.peerId === producer.id);
    await tab.until("producerRemoved", (peer) => peer.id === producer.id);
    tab.assertNoProblems();
  }
  producer.tab.assertNoProblems();
});

onStage("the producer hears that a consumer's page was closed", async (stage) => {
  const producer = await stage.producing();
  const consumer = await stage.consumer();
  await playAndSee(consumer.tab, producer.id, FEW);
  const client = await producer.tab.until("clientConsumerAdded");

  await consumer.tab.close();

  assert.deepEqual(await producer.tab.until("clientConsumerRemoved"), client);
  producer.tab.assertNoProblems();
});
