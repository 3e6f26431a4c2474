import { CHECKED_IN, buildAll } from "./build-all.mjs";
import { checkSizes } from "./sizes.mjs";

await buildAll(CHECKED_IN);
await checkSizes(CHECKED_IN);
