// What is used of it here; the package has no types of its own.

declare module "autocannon" {
  interface Options {
    url: string;
    method: string;
    headers: Record<string, string>;
    body: string;
    /** Seconds. */
    duration: number;
    connections: number;
    pipelining: number;
    overallRate?: number;
  }

  interface Histogram {
    p50: number;
    p99: number;
    max: number;
    total: number;
  }

  export default function autocannon(options: Options): Promise<{
    latency: Histogram;
    requests: Histogram;
    duration: number;
    errors: number;
    timeouts: number;
    non2xx: number;
  }>;
}
