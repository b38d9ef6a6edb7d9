import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { MAY_BE_SILENT } from "../../../bench/service/malformed";
import { malformedRequests, send } from "../../../bench/service/requests";
import { open } from "./support";

test("500 malformed requests: always a 4xx, or a closed connection where it was no HTTP, and never a hang", async () => {
  const { app, trained, ask } = await open({ TIMEOUT: 1, MAX_UPLOADS: 100 });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const rows = [
    { a: 1, b: 2, y: "u" },
    { a: 2, b: 1, y: "v" },
  ];
  const { id } = await trained({ rows, target: "y", epochs: 1 });
  const requests = malformedRequests(1, 500, id);
  const wrong: string[] = [];
  let answered = 0;
  const client = async () => {
    for (const request of requests) {
      const { status, text } = await send(request, port, 45_000);
      const silent = status === 0 && MAY_BE_SILENT.includes(request.what);
      if (!silent && (status < 400 || status >= 500))
        wrong.push(
          `${request.what}: ${status} ${text.slice(-300)} to ${request.bytes.subarray(0, 400).toString("latin1")}`,
        );
      answered++;
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  expect(wrong).toEqual([]);
  expect(answered).toBe(500);
  expect((await ask("GET", "/models")).body.models).toHaveLength(1);
  expect(await ask("POST", `/models/${id}/predict`, { row: [1, 2] })).toMatchObject({ status: 200 });
});
