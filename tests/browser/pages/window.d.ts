import type { ConsumerPage } from "./consumer.js";
import type { ProducerPage } from "./producer.js";

declare global {
  interface Window {
    /** Tells the test that something happened in the page. */
    report(event: string, detail: unknown): Promise<void>;
    producer: ProducerPage;
    consumer: ConsumerPage;
  }
}
