import { defineConfig } from "vitest/config";

const file = (path: string) => new URL(path, import.meta.url).pathname;

export default defineConfig({
  resolve: {
    alias: [
      { find: "#platform", replacement: file("./ts/runtime/platform/node.ts") },
      { find: "#core/strict.js", replacement: file("./build/core/deflated.js") },
      { find: "#core/extension.js", replacement: file("./build/core/none.js") },
      { find: /^#core\/(\w+)\.js$/, replacement: file("./build/core/$1.js") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000 },
});
