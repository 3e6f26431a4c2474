import assert from "node:assert/strict";
import { onStage, produce } from "./stage.mjs";

/** @import { Tab } from "./tab.mjs" */

/**
 * @param {Tab} tab a page that ended in the background
 * @param {string} id
 * @param {unknown} meta
 */
async function hearsOneProducerGo(tab, id, meta) {
  assert.deepEqual(await tab.until("producerRemoved"), { id, meta });
  assert.deepEqual(await tab.page.evaluate(() => window.consumer.available()), []);
}

onStage("a listener hears producers come and go, however they go", async (stage) => {
  // The listener is told of a peer that was there before it in answer to its last request for a list,
  // so from then on no list can cross with a producer that comes.
  const bystander = await stage.passiveConsumer(null);
  const listener = await stage.consumer();
  await listener.tab.until("consumerAdded", (peer) => peer.id === bystander.id);

  const stopping = await stage.producing({ name: "stops producing" });
  assert.deepEqual(await listener.tab.until("producerAdded"), { id: stopping.id, meta: { name: "stops producing" } });
  await stopping.tab.page.evaluate(() => window.producer.stop());
  await hearsOneProducerGo(listener.tab, stopping.id, { name: "stops producing" });
  await produce(stopping.tab);
  assert.deepEqual(await listener.tab.until("producerAdded"), { id: stopping.id, meta: { name: "stops producing" } });
  await stopping.tab.close();
  await hearsOneProducerGo(listener.tab, stopping.id, { name: "stops producing" });

  const crashing = await stage.producing({ name: "crashes" });
  assert.deepEqual(await listener.tab.until("producerAdded"), { id: crashing.id, meta: { name: "crashes" } });
  await crashing.tab.crash();
  await hearsOneProducerGo(listener.tab, crashing.id, { name: "crashes" });

  assert.equal(listener.tab.all("producerAdded").length, 3, "each arrival is heard once");
  assert.equal(listener.tab.all("producerRemoved").length, 3, "each departure is heard once");
  listener.tab.assertNoProblems();
});

onStage("a listener hears passive consumers come and go", async (stage) => {
  const early = await stage.passiveConsumer({ name: "early" });
  const listener = await stage.consumer();
  assert.deepEqual(await listener.tab.until("consumerAdded"), { id: early.id, meta: { name: "early" } });

  const late = await stage.passiveConsumer({ name: "late" });
  assert.deepEqual(await listener.tab.until("consumerAdded"), { id: late.id, meta: { name: "late" } });

  late.peer.send({ type: "setPeerStatus", roles: [], meta: { name: "late" } });
  assert.deepEqual(await listener.tab.until("consumerRemoved"), { id: late.id, meta: { name: "late" } });
  early.peer.close();
  assert.deepEqual(await listener.tab.until("consumerRemoved"), { id: early.id, meta: { name: "early" } });

  assert.deepEqual(listener.tab.all("producerAdded"), [], "a consumer is not taken for a producer");
  listener.tab.assertNoProblems();
});

onStage("a producing page can call a passive consumer", async (stage) => {
  const consumer = await stage.passiveConsumer({ name: "screen" });
  const producer = await stage.producer();
  await producer.tab.until("consumerAdded", (peer) => peer.id === consumer.id);

  await producer.tab.page.evaluate((id) => window.producer.start(id), consumer.id);

  const started = await consumer.peer.until("sessionStarted");
  assert.equal(started.peerId, producer.id);
  const offer = await consumer.peer.until("peer", (message) => message.sdp !== undefined);
  assert.equal(offer.sessionId, started.sessionId);
  assert.equal(offer.sdp.type, "offer");
  assert.match(offer.sdp.sdp, /^m=video /m);
  producer.tab.assertNoProblems();
});
