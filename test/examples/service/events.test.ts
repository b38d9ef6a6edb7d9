import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { EventStreams } from "../../../examples/service/events";
import { flowers, LONG, open } from "./support";

const service = await open();
const { app, ask, trained, until } = service;
await app.listen({ host: "127.0.0.1", port: 0 });
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const OPTIONS = { rows: flowers(), target: "kind", hiddenLayers: [4] };

interface Sent {
  event: string;
  id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the test looks into it
  data: any;
}

/** Events until the stream's end, or until `enough`. */
async function follow(id: string, last?: number, enough: (sent: Sent) => boolean = () => false): Promise<Sent[]> {
  const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": `${last}` };
  const response = await fetch(`${url}/models/${id}/events`, { headers });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const sent: Sent[] = [];
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      if (field("event")) sent.push({ event: field("event")!, id: field("id"), data: JSON.parse(field("data")!) });
    }
    if (sent.some(enough)) break;
  }
  return sent;
}

const epochsOf = (sent: Sent[]) => sent.filter(({ event }) => event === "epoch").map(({ data }) => data.epoch);
const counting = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("a training is followed from its first epoch to its end, each epoch once", async () => {
  const { id } = (await ask("POST", "/models", { ...OPTIONS, epochs: 200 })).body;
  const followers = await Promise.all([follow(id), follow(id), follow(id)]);
  for (const sent of followers) {
    expect(epochsOf(sent)).toEqual(counting(1, 200));
    expect(sent.filter(({ event }) => event === "epoch").every(({ id, data }) => id === `${data.epoch}`)).toBe(true);
    expect(sent.find(({ event }) => event === "epoch")!.data.logs).toMatchObject({
      loss: expect.any(Number),
      accuracy: expect.any(Number),
    });
    expect(sent.at(-1)).toMatchObject({ event: "end", data: { id, state: "trained", epoch: 200 } });
  }
  expect(followers[0]!.filter(({ event }) => event === "epoch")).toEqual(
    followers[1]!.filter(({ event }) => event === "epoch"),
  );
});

test("who comes back with Last-Event-ID gets what is missing; when there is nothing more, 204", async () => {
  const { id } = await trained({ ...OPTIONS, epochs: 30 });
  const all = await follow(id);
  expect(epochsOf(all)).toEqual(counting(1, 30));
  expect(await follow(id, 20)).toEqual(all.slice(20));
  expect(await follow(id, 29)).toEqual(all.slice(29));
  for (const last of ["30", "31"])
    expect((await fetch(`${url}/models/${id}/events`, { headers: { "last-event-id": last } })).status).toBe(204);
});

test("who comes back in the middle misses none", async () => {
  const { id } = (await ask("POST", "/models", { ...OPTIONS, epochs: 2000 })).body;
  const sent = await follow(id, undefined, ({ data }) => data.epoch >= 5);
  const last = epochsOf(sent).at(-1)!;
  const rest = await follow(id, last);
  expect([...epochsOf(sent), ...epochsOf(rest)]).toEqual(counting(1, 2000));
});

test("who reads slowly is waited for where epochs are sent again", async () => {
  const { id } = await trained({ ...OPTIONS, rows: OPTIONS.rows.slice(0, 3), epochs: 8000 });
  const all = await follow(id);
  expect(epochsOf(all)).toEqual(counting(1, 8000)); // 1.4 MB
  expect(all.at(-1)).toMatchObject({ event: "end", data: { state: "trained" } });
});

test("waiting, cancelling and deleting are told", async () => {
  const first = (await ask("POST", "/models", { ...OPTIONS, ...LONG })).body.id;
  const second = (await ask("POST", "/models", { ...OPTIONS, ...LONG })).body.id;
  const both = [follow(first), follow(second)];
  await until(first, ({ epoch }) => epoch > 0);
  await ask("POST", `/models/${first}/cancel`);
  await until(second, ({ state }) => state === "training");
  await ask("DELETE", `/models/${second}`);
  const [cancelled, deleted] = await Promise.all(both);
  expect(cancelled!.at(-1)).toMatchObject({ event: "end", data: { id: first, state: "cancelled" } });
  expect(deleted!.map(({ event, data }) => [event, data.state]).slice(0, 2)).toEqual([
    ["state", "queued"],
    ["state", "training"],
  ]);
  expect(deleted!.at(-1)).toMatchObject({ event: "end", data: { id: second } });
});

test("nobody follows what is not there, and clients that have gone are forgotten", async () => {
  expect((await fetch(`${url}/models/0/events`)).status).toBe(404);
  await expect
    .poll(async () => (await ask("GET", "/metrics")).text, { timeout: 10_000 })
    .toMatch(/^downhill_event_streams 0$/m);
});

test("what was told before the state is known is older, and is not sent behind it", async () => {
  const trainings = {
    async epochs() {
      streams.take([{ id: "a", state: "queued" }]);
      return { epochs: [{ epoch: 1, logs: { loss: 1 } }], state: "training" };
    },
  };
  const streams = new EventStreams(trainings as never, () => Promise.reject(new Error("it is no more")));
  const response = Object.assign(new PassThrough(), { writeHead() {} });
  await streams.follow("a", 0, response as unknown as ServerResponse);
  streams.take([{ id: "a", epoch: 1, logs: { loss: 1 } }]);
  streams.take([{ id: "a", state: "training" }]);
  streams.take([{ id: "a", state: undefined }]);
  let text = "";
  for await (const chunk of response) text += chunk;
  streams.close();
  expect(
    [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, event, data]) => [event, JSON.parse(data!)]),
  ).toEqual([
    ["state", { state: "training" }],
    ["epoch", { epoch: 1, logs: { loss: 1 } }],
    ["end", { id: "a", state: "deleted" }],
  ]);
});
