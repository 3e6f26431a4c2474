import { launchFirefox } from "./firefox.mjs";
import { onStage, playAndSee } from "./stage.mjs";

onStage("two pages play what a media session of ours sends", async (stage) => {
  const consumers = [await stage.consumer(), await stage.consumer()];
  const sender = await stage.rtpProducer();

  for (const { tab } of consumers) {
    await tab.until("producerAdded", (peer) => peer.id === sender.id);
  }
  await Promise.all(consumers.map(({ tab }) => playAndSee(tab, sender.id)));

  for (const { tab } of consumers) {
    tab.assertNoProblems();
  }
});

onStage("a page that makes the offer plays what a media session of ours sends", async (stage) => {
  const consumer = await stage.consumer();
  const sender = await stage.rtpProducer();
  await consumer.tab.until("producerAdded", (peer) => peer.id === sender.id);

  const offerOptions = { offerToReceiveVideo: true, offerToReceiveAudio: true };
  await playAndSee(consumer.tab, sender.id, { offerOptions });

  consumer.tab.assertNoProblems();
});

onStage(
  "Firefox plays what a media session of ours sends",
  async (stage) => {
    const consumer = await stage.consumer();
    const sender = await stage.rtpProducer();
    await consumer.tab.until("producerAdded", (peer) => peer.id === sender.id);

    await playAndSee(consumer.tab, sender.id);

    consumer.tab.assertNoProblems();
  },
  launchFirefox,
);
