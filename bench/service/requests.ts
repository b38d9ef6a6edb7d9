// Malformed requests, the same ones for each seed: what clients with faults, and people with intentions, send.

import { connect, type Socket } from "node:net";

/** What goes over a connection of its own. */
export interface Malformed {
  what: string;
  bytes: Buffer;
  /** What the client does when it has sent that: waits for an answer, ends its side, or sends no more though more is expected. */
  then: "wait" | "end" | "stall";
}

/** How it went: an answer's status, or 0 where the connection was closed without one. */
export interface Answered {
  what: string;
  status: number;
  text: string;
}

type Random = () => number;

/** Numbers in [0, 1) (mulberry32). */
export function randomOf(seed: number): Random {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const JUNK = [null, -1, 1.5, 1e300, "x", "", "-1", true, [], {}, [[]], { a: 1 }, [null], "\u0000", "../../etc/passwd"];
const NAMES = ["__proto__", "constructor", "toString", "epoch", "Target", "", "x".repeat(500)];
const ROWS = [
  { a: 1, b: 2, y: "u" },
  { a: 2, b: 1, y: "v" },
  { a: 3, b: 1, y: "u" },
];

/** A request that is right but for what `change` has done to it. */
function request(
  method: string,
  path: string,
  headers: Record<string, string | number>,
  body: Buffer | string = "",
): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ host: "localhost", connection: "close", "content-length": bytes.length, ...headers });
  return Buffer.concat([
    Buffer.from(
      `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
      "latin1",
    ),
    bytes,
  ]);
}

const json = (path: string, body: unknown): Buffer =>
  request("POST", path, { "content-type": "application/json" }, typeof body === "string" ? body : JSON.stringify(body));

function multipart(parts: string[], end = "--b--\r\n"): Buffer {
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join("") + end;
  return request("POST", "/models", { "content-type": "multipart/form-data; boundary=b" }, body);
}
const field = (name: string, value: string) => `content-disposition: form-data; name="${name}"\r\n\r\n${value}`;
const file = (content: string, name = "file") =>
  `content-disposition: form-data; name="${name}"; filename="t.csv"\r\ncontent-type: text/csv\r\n\r\n${content}`;

type Made = Omit<Malformed, "what" | "then"> & { then?: Malformed["then"] };
type Maker = (random: Random, id: string) => Made | Buffer;

/** Each makes requests of a kind; `id` is a model's that has been trained on columns a and b. */
const KINDS: Record<string, Maker> = {
  "invalid JSON": (random, id) => {
    const text = JSON.stringify({ rows: ROWS, target: "y" });
    const at = 1 + Math.floor(random() * (text.length - 2));
    const broken = pick(random, [
      text.slice(0, at),
      `${text.slice(0, at)}\u0001${text.slice(at)}`,
      `'${text}'`,
      "NaN",
      "{,}",
      `${text}}`,
      "",
    ]);
    return json(pick(random, ["/models", `/models/${id}/predict`]), broken);
  },
  "a wrong type or value": (random) => {
    const wrong: Record<string, readonly unknown[]> = {
      target: [null, -1, "", true, [], {}, "nobody"],
      epochs: [0, -1, 1.5, "3", 1e9, null, [], {}],
      batchSize: [0, 1e9, "x", null, []],
      hiddenLayers: [[0], [1.5], "32", [[]], 32, null, [1e9], new Array(100).fill(1), [60_000, 60_000]],
      activation: ["Relu", 1, null, {}],
      dropout: [1, -0.1, "0.5", null],
      l1: [-1, "x", null],
      l2: [-1, "x", null],
      optimizer: [
        "adam",
        {},
        { type: "adamm" },
        { type: "adam", momentum: 0.5 },
        { type: "sgd", learningRate: 0 },
        null,
        [],
      ],
      validationSplit: [1, -1, "0.1", null, 0.01],
      earlyStopping: [true, { patience: -1 }, { monitor: "valLoss" }, { monitor: "x" }, [], null],
      seed: [-1, 1.5, 1e300, "0", null],
      maxSeconds: [0, -1, 1e9, "x", null],
      task: ["x", 1, null, "regression"],
      missing: ["x", 1, null],
      rows: [[], {}, "x", null, [[]], [{}], [null], [1], [[1, 2], [1]], [{ a: [] }], [{ a: { b: 1 } }]],
      columns: [[], "a", [1], null, ["a", "a", "y"]],
    };
    const name = pick(random, Object.keys(wrong));
    return json("/models", { rows: ROWS, target: "y", [name]: pick(random, wrong[name]!) });
  },
  "a wrong option": (random) => {
    const name = pick(
      random,
      NAMES.filter((name) => name !== "__proto__"),
    );
    return json("/models", { rows: ROWS, target: "y", [name]: pick(random, JUNK) });
  },
  "a prototype": (random, id) =>
    json(pick(random, ["/models", `/models/${id}/predict`]), `{"__proto__": {"rows": 1}, "target": "y"}`),
  "no table, or two": (random) =>
    json("/models", {
      target: "y",
      ...pick(random, [{}, { rows: ROWS, csv: "a,y\n1,2" }, { csv: "a,y\n1,2\n", file: "a.csv" }]),
    }),
  "a wrong body": (random, id) =>
    json(
      pick(random, ["/models", `/models/${id}/predict`]),
      pick(random, ["[]", "1", "null", '"x"', "true", "[[[[]]]]", "{}"]),
    ),
  "a deep body": (random, id) => {
    const deep = 10 ** (2 + Math.floor(random() * 3));
    const text = "[".repeat(deep) + "]".repeat(deep);
    return json(
      pick(random, ["/models", `/models/${id}/predict`]),
      pick(random, [
        text,
        `{"row":${text}}`,
        `{"rows":[${text}]}`,
        `{"target":"y","optimizer":${text}}`,
        '{"a":'.repeat(deep) + 1 + "}".repeat(deep),
      ]),
    );
  },
  "a wrong content type": (random, id) => {
    const type = pick(random, [
      "text/plain",
      "text/csv",
      "application/xml",
      "x",
      "",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/jsonx",
    ]);
    return request(
      "POST",
      pick(random, ["/models", `/models/${id}/predict`]),
      type ? { "content-type": type } : {},
      '{"target":"y"}',
    );
  },
  "a wrong id": (random, id) => {
    const wrong = pick(random, [
      "0",
      "..",
      "%2e%2e%2f",
      "%00",
      "%zz",
      "x".repeat(3000),
      id.toUpperCase().replace(/\d/g, "z"),
      "a b".replace(" ", "%20"),
      "'; DROP TABLE models; --".replaceAll(" ", "%20"),
    ]);
    const [method, path] = pick(random, [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/cancel"],
      ["GET", "/file"],
      ["GET", "/events"],
      ["POST", "/predict"],
    ] as const);
    return path === "/predict"
      ? json(`/models/${wrong}/predict`, { row: [1, 2] })
      : request(method, `/models/${wrong}${path}`, {});
  },
  "a wrong path or method": (random, id) =>
    request(
      pick(random, ["PUT", "PATCH", "OPTIONS", "DELETE", "HEAD"]),
      pick(random, ["/", "/models", "/modelss", `/models/${id}/predict`, "/metrics", "//", "/%"]),
      {},
    ),
  "a wrong query": (random) =>
    request(
      "GET",
      `/models?${pick(random, ["limit=0", "limit=x", "limit=1e3", "limit=1001", "limit=-1", "x=1", "limit=1&limit=2", `after=${"x".repeat(200)}`])}`,
      {},
    ),
  "a wrong row": (random, id) => {
    const row = pick<unknown>(random, [
      [1],
      [1, 2, 3],
      ["x", 1],
      [null, 1],
      [[1], 1],
      [true, 1],
      [1e300, 1],
      {},
      { a: 1 },
      { a: 1, b: 2, c: 3 },
      { a: "x", b: 1 },
      { a: 1, toString: 1 },
      "x",
      1,
      null,
      [],
    ]);
    return json(
      `/models/${id}/predict`,
      pick(random, [{ row }, { rows: [row] }, { rows: [[1, 2], row] }, { row, rows: [row] }]),
    );
  },
  "too many rows": (_, id) => json(`/models/${id}/predict`, { rows: new Array(5000).fill([1, 2]) }),
  "a wrong table": (random) =>
    json("/models", {
      target: "y",
      csv: pick(random, [
        "",
        "y",
        "a,y",
        "a,y\n",
        "a,y\n1",
        "a,y\n1,2,3\n",
        "a,a,y\n1,2,3\n",
        'a,y\n"1,2\n',
        "a,y\n,1\n",
        "a,b\n1,2\n",
        "y\n1\n",
        "a=b,y\n1,2\n",
        '"a\nb",y\n1,2\n',
        "a,y\n1,u\n2,u\n",
        "a,y\nx,1\n1,2\n",
        "a,y\n1e300,1\n1,2\n",
        "/etc/passwd",
        ",\n,\n",
        "a,__proto__\n",
      ]),
    }),
  "a wrong file": (random) =>
    json("/models", {
      target: "y",
      file: pick(random, [
        "none.csv",
        "../x.csv",
        "../../../../etc/passwd",
        "/etc/passwd",
        "/etc/x.csv",
        "a/../../x.csv",
        "..\\x.csv",
        "C:\\x.csv",
        "service.db",
        "service.pid",
        "x\u0000.csv",
        ".",
        "..",
        "~/x.csv",
        "%2e%2e/x.csv",
        "x".repeat(900),
        "x".repeat(9000),
      ]),
    }),
  "a wrong upload": (random) => {
    const options = field("options", '{"target":"y","epochs":1}');
    const table = file("a,y\n1,u\n2,v\n");
    const parts = pick(random, [
      [],
      [options],
      [table],
      [field("options", "{"), table],
      [field("options", "[]"), table],
      [field("options", '{"target":1}'), table],
      [field("options", '{"target":"y","rows":[]}'), table],
      [options, table, table],
      [options, options, table],
      [options, file("a,y\n1,u\n", "files")],
      [options, field("file", "a,y\n1,u\n")],
      [options, file("a,y\n1\n")],
      [options, file("\u00ff\u0000\u0001")],
      [options, file("")],
      [options, table, field("__proto__", "x")],
      [options, table, field("x", "x")],
      ["x", "y"],
      [...new Array(20).fill(options)],
    ]);
    return multipart(parts);
  },
  "an upload cut short": (random) => {
    return multipart(
      [field("options", '{"target":"y"}'), file("a,y\n1,u\n2,v\n")],
      pick(random, ["", "--b", "--c--\r\n"]),
    );
  },
  "a body cut short": (random, id) => {
    const all = json(pick(random, ["/models", `/models/${id}/predict`]), { rows: ROWS, target: "y" });
    return { bytes: all.subarray(0, all.length - 1 - Math.floor(random() * 40)), then: "end" };
  },
  "a body that is too large": (random, id) => {
    const [path, type] = pick(random, [
      ["/models", "application/json"],
      [`/models/${id}/predict`, "application/json"],
    ] as const);
    return { bytes: request("POST", path, { "content-type": type, "content-length": 10 ** 10 }, "{".repeat(1000)) };
  },
  "a head that is too large": (random) =>
    request("GET", pick(random, ["/models", `/${"x".repeat(20_000)}`]), { "x-long": "x".repeat(20_000) }),
  "a wrong head": (random) =>
    Buffer.from(
      pick(random, [
        "GET /models HTTP/9.9\r\n\r\n",
        "GET /models HTTP/1.1\r\n\r\n",
        "GET  HTTP/1.1\r\nhost: x\r\n\r\n",
        "get /models HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /models HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        "GET /models HTTP/1.1\r\nhost: x\r\nx: \u0001\r\n\r\n",
        "GET /models HTTP/1.1\nhost x\n\n",
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "POST /models HTTP/1.1\r\nhost: x\r\ntransfer-encoding: x\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u0016\u0003\u0001\u0002\u0000",
      ]),
      "latin1",
    ),
  "no HTTP": (random) => {
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 500) }, () => Math.floor(random() * 256)));
    return { bytes, then: "end" };
  },
  "a request that does not go on": (random, id) => {
    const all = json(`/models/${id}/predict`, { row: [1, 2] });
    return { bytes: all.subarray(0, 1 + Math.floor(random() * (all.length - 1))), then: "stall" };
  },
};

/** Kinds that take the server's patience come rarely. */
const RARE: Record<string, number> = { "a request that does not go on": 0.1, "too many rows": 0.3 };

/** `count` requests of a seed. */
export function* malformedRequests(seed: number, count: number, id: string): Generator<Malformed> {
  const random = randomOf(seed);
  const kinds = Object.keys(KINDS);
  for (let made = 0; made < count; ) {
    const what = pick(random, kinds);
    if (random() > (RARE[what] ?? 1)) continue;
    const given = KINDS[what]!(random, id);
    yield { what, then: "wait", ...(Buffer.isBuffer(given) ? { bytes: given } : given) };
    made++;
  }
}

/** Sends one on a connection of its own; rejects where there is neither an answer nor an end in time. */
export function send({ what, bytes, then }: Malformed, port: number, patience: number): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1");
    let text = "";
    const settle = () => {
      clearTimeout(late);
      socket.destroy();
      resolve({ what, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    };
    const late = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `no answer to ${what}: ${JSON.stringify(bytes.subarray(0, 300).toString("latin1"))}, got ${JSON.stringify(text)}`,
        ),
      );
    }, patience);
    socket.on("connect", () => {
      socket.write(bytes);
      if (then === "end") socket.end();
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      // HEAD's answer has no body
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head >= 0 && (bytes.subarray(0, 4).toString() === "HEAD" || text.length >= head + 4 + length)) settle();
    });
    socket.on("error", settle); // reset: closed
    socket.on("close", settle);
  });
}
