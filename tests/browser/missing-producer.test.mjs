import assert from "node:assert/strict";
import { onStage, playAndSee } from "./stage.mjs";

onStage("playing a producer that is gone is an error, after which the page goes on", async (stage) => {
  const gone = await stage.producing();
  const consumer = await stage.consumer();
  await consumer.tab.until("producerAdded", (peer) => peer.id === gone.id);
  await gone.tab.close();
  await consumer.tab.until("producerRemoved", (peer) => peer.id === gone.id);

  await consumer.tab.page.evaluate((id) => window.consumer.play(id, null), gone.id);

  // The API hands an error of the server to the console only, not to the session that it is about.
  const error = await consumer.tab.until("problem", (text) => text.includes("error received from signaling server"));
  assert.match(error, new RegExp(`${gone.id}.*not found`));

  await consumer.tab.page.evaluate(() => window.consumer.stop());
  const producer = await stage.producing();
  await consumer.tab.until("producerAdded", (peer) => peer.id === producer.id);
  await playAndSee(consumer.tab, producer.id);

  assert.deepEqual(consumer.tab.problems, [error], "that was the only error");
  assert.deepEqual(consumer.tab.all("disconnected"), [], "the page stayed connected");
  producer.tab.assertNoProblems();
});
