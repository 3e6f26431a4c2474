import assert from "node:assert/strict";
import { onStage, playAndSee, produce } from "./stage.mjs";

onStage("pages reconnect to a server that was killed, and play again", async (stage) => {
  const producer = await stage.producing({ name: "survivor" });
  const consumer = await stage.consumer();
  await consumer.tab.until("producerAdded", (peer) => peer.id === producer.id);
  await playAndSee(consumer.tab, producer.id);

  await stage.server.kill();
  await Promise.all([producer.tab.until("disconnected"), consumer.tab.until("disconnected")]);
  await producer.tab.until("producerSessionClosed");
  await consumer.tab.until("consumerSessionClosed", (session) => session.peerId === producer.id);
  await consumer.tab.until("producerRemoved", (peer) => peer.id === producer.id);

  await stage.server.start();
  const [producerId, consumerId] = await Promise.all([
    producer.tab.until("connected"),
    consumer.tab.until("connected"),
  ]);
  const ids = [producer.id, consumer.id, producerId, consumerId];
  assert.equal(new Set(ids).size, ids.length, `the new ids are not new: ${ids}`);

  await produce(producer.tab);
  const again = await consumer.tab.until("producerAdded");
  assert.deepEqual(again, { id: producerId, meta: { name: "survivor" } });
  await playAndSee(consumer.tab, producerId);

  for (const { tab } of [producer, consumer]) {
    const other = tab.problems.filter((problem) => !/WebSocket/.test(problem));
    assert.deepEqual(other, [], "errors other than of the lost connection");
    assert.deepEqual(tab.all("sessionError"), []);
  }
});
