import { once } from "node:events";
import net from "node:net";

/** @returns {Promise<number>} a port that nobody listens at */
export async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = /** @type {net.AddressInfo} */ (listener.address());
  listener.close();
  await once(listener, "close");
  return port;
}
