// Load by autocannon, over loopback, on connections that stay open; one request at a time on each.

import autocannon from "autocannon";

export interface Load {
  url: string;
  body: unknown;
  seconds: number;
  connections: number;
  /** Requests a second of all connections; default: as many as are answered. */
  rate?: number;
}

/** Latencies in milliseconds: with a rate, from when a request was due, not from when it could be sent. */
export interface Outcome {
  perSecond: number;
  requests: number;
  failed: number;
  p50: number;
  p99: number;
  max: number;
}

export async function runLoad({ url, body, seconds, connections, rate }: Load): Promise<Outcome> {
  const result = await autocannon({
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    duration: seconds,
    connections,
    pipelining: 1,
    ...(rate && { overallRate: rate }),
  });
  const { latency, requests, errors, timeouts, non2xx } = result;
  return {
    perSecond: requests.total / result.duration,
    requests: requests.total,
    failed: errors + timeouts + non2xx,
    p50: latency.p50,
    p99: latency.p99,
    max: latency.max,
  };
}
