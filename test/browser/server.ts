// A static server for the pages: folders, by default the repository's dist/browser under /dist/, and what the tests add.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const TYPES: Record<string, string> = { js: "text/javascript", html: "text/html", css: "text/css" };

export interface Site {
  url: string;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Folders by the beginning of their paths, which ends in a slash. */
  folders?: Record<string, URL>;
  /** Further headers of every answer. */
  headers?: Record<string, string>;
}

const dist = new URL("../../dist/browser/", import.meta.url);

/** Serves on a free port of 127.0.0.1. `files`: further texts by path. `isolated`: with the headers that threads need. */
export async function serve(
  files: Record<string, string>,
  isolated: boolean,
  { folders = { "/dist/": dist }, headers = {} }: ServeOptions = {},
): Promise<Site> {
  const find = (path: string): Promise<Buffer> => {
    const folder = Object.keys(folders).find((begin) => path.startsWith(begin));
    if (!folder) throw new Error("not found");
    return readFile(new URL(`./${path.slice(folder.length)}`, folders[folder]));
  };
  const server = createServer(async ({ url }, response) => {
    const path = new URL(url!, "http://localhost").pathname;
    try {
      const body = files[path] ?? (await find(path));
      const type = TYPES[/\.(\w+)$/.exec(path)?.[1] ?? "html"] ?? "application/octet-stream";
      response.writeHead(200, {
        "content-type": `${type}; charset=utf-8`,
        ...(isolated ? ISOLATED : {}),
        ...headers,
      });
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
