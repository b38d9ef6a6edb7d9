// A static server for the pages: the repository's dist/browser under /dist/, and what the tests add.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

export interface Site {
  url: string;
  close(): Promise<void>;
}

/** Serves on a free port of 127.0.0.1. `files`: further texts by path. `isolated`: with the headers that threads need. */
export async function serve(files: Record<string, string>, isolated: boolean): Promise<Site> {
  const dist = new URL("../../dist/browser/", import.meta.url);
  const server = createServer(async ({ url }, response) => {
    const path = new URL(url!, "http://localhost").pathname;
    try {
      const own = files[path];
      const body = own ?? (await readFile(new URL(`.${path.replace(/^\/dist/, "")}`, dist)));
      const type = path.endsWith(".js") ? "text/javascript" : "text/html";
      response.writeHead(200, { "content-type": `${type}; charset=utf-8`, ...(isolated ? ISOLATED : {}) });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
