import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { wigwag: fileURLToPath(new URL("api/src/index.ts", import.meta.url)) } },
  test: { include: ["*/test/**/*.test.ts"], passWithNoTests: false },
});
