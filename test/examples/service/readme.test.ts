// What README.md says can be done is done.

import { readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConfig, settingsTable } from "../../../examples/service/config";
import { schemasOf } from "../../../examples/service/schemas";
import { flowers, open, toCsv } from "./support";

const text = readFileSync("examples/service/README.md", "utf8");

test("the table of settings is that of the code", () => {
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)].map(([, ...row]) => row);
  expect(rows).toEqual(settingsTable().map(([name, standard, meaning]) => [name, `${standard}`, meaning]));
});

test("every file is named", () => {
  const named = new Set([...text.matchAll(/`(\w+\.(?:ts|mjs))`/g)].map(([, name]) => name));
  expect(named).toEqual(
    new Set(
      [
        ...[
          "app",
          "batcher",
          "config",
          "errors",
          "events",
          "folder",
          "json",
          "main",
          "metrics",
          "network",
          "predictor",
          "routes",
        ],
        ...["rows", "schemas", "service", "store", "table", "threads", "trainings"],
      ]
        .map((name) => `${name}.ts`)
        .concat("build.mjs"),
    ),
  );
});

test("every option of a training is named", () => {
  const [, named] = /^- \*\*Options\*\*: (.*?)\. The same table/ms.exec(text)!;
  const words = new Set(named!.match(/\b[a-z]\w+/gi));
  const {
    rows: _,
    csv: __,
    file: ___,
    ...options
  } = schemasOf(readConfig({})).create.body.content["application/json"].schema.properties;
  for (const option of Object.keys(options)) expect(words).toContain(option);
});

/** A line of curl as a request: -F, -H, -d, -X, and what changes nothing here. */
function requestOf(line: string, csv: string): [string, RequestInit] {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!).slice(1);
  const init: RequestInit = {};
  let form: FormData | undefined;
  let url = "";
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "-N") continue;
    if (!word.startsWith("-")) url = `http://${word}`;
    else {
      const value = words[++at]!;
      if (word === "-X") init.method = value;
      else if (word === "-H") init.headers = { [value.split(": ")[0]!]: value.split(": ")[1]! };
      else if (word === "-d") Object.assign(init, { method: "POST", body: value });
      else if (word === "-F") {
        form ??= new FormData();
        const [name, content] = [value.slice(0, value.indexOf("=")), value.slice(value.indexOf("=") + 1)];
        if (content.startsWith("@")) form.append(name, new Blob([csv]), content.slice(1));
        else form.append(name, content);
      } else if (word !== "-o") throw new Error(`unknown: ${word}`);
    }
  }
  if (form) Object.assign(init, { method: "POST", body: form });
  return [url, init];
}

test("the lines of curl work, in their order", async () => {
  const { app, ask, until, folder } = await open();
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const csv = toCsv(flowers());
  writeFileSync(join(folder, "flowers.csv"), csv);
  const lines = [...text.matchAll(/^curl .*/gm)].map(([line]) => line);
  expect(lines).toHaveLength(14);
  const statuses: number[] = [];
  let id = "";
  for (const line of lines) {
    const [url, init] = requestOf(line.replace("$ID", id).replace("localhost:3000", `localhost:${port}`), csv);
    const response = await fetch(url.replace("localhost", "127.0.0.1"), init);
    statuses.push(response.status);
    if (response.status !== 202)
      await response.arrayBuffer(); // events to their end
    else id ||= ((await response.json()) as { id: string }).id;
  }
  // the model has been trained by the time that it is to be cancelled
  expect(statuses).toEqual([202, 202, 202, 200, 200, 200, 200, 200, 200, 200, 200, 200, 409, 204]);
  for (const { id } of (await ask("GET", "/models")).body.models)
    expect(await until(id)).toMatchObject({ state: "trained" });
});
