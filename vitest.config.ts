import { defineConfig } from "vitest/config";
// @ts-expect-error: a script of the build
import { workerSource } from "./build.worker.js";

const file = (path: string) => new URL(path, import.meta.url).pathname;

/** The worker's code, of the sources as they are. */
const worker = {
  name: "downhill-worker",
  enforce: "pre" as const,
  resolveId: (id: string) => (id === "#core/worker.js" ? "\0downhill-worker" : undefined),
  load: async (id: string) =>
    id === "\0downhill-worker" ? `export default ${JSON.stringify(await workerSource("node"))}` : undefined,
};

export default defineConfig({
  plugins: [worker],
  resolve: {
    alias: [
      { find: "#platform", replacement: file("./ts/runtime/platform/node.ts") },
      { find: "#core/strict.js", replacement: file("./build/core/plain.js") },
      { find: "#core/extension.js", replacement: file("./build/core/none.js") },
      { find: /^#core\/(?!worker)(\w+)\.js$/, replacement: file("./build/core/$1.js") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
