// Figures in Prometheus' format.

import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Predictor } from "./predictor";
import type { State } from "./store";
import type { Calls } from "./threads";
import type { Trainings } from "./trainings";

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const batches = new Histogram({
    name: "downhill_predict_batch_rows",
    help: "Rows of each batch that was predicted",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    registers,
  });
  const joined = new Counter({
    name: "downhill_predict_requests_total",
    help: "Requests whose rows were predicted",
    registers,
  });
  const latency = new Histogram({
    name: "downhill_http_request_seconds",
    help: "Time from a request's head to the end of its answer",
    labelNames: ["method", "route", "status"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });

  return {
    registry,

    /** A batch was predicted. */
    ran(rows: number, requests: number): void {
      batches.observe(rows);
      joined.inc(requests);
    },

    /** Times the requests of an app. */
    time(app: FastifyInstance): void {
      // one label object each way to answer, not each answer
      const labels = new Map<string, { method: string; route: string; status: string }>();
      app.addHook("onResponse", (request, reply, done) => {
        const route = request.routeOptions.url ?? "none";
        const key = `${request.method} ${route} ${reply.statusCode}`;
        const known = labels.get(key) ?? { method: request.method, route, status: `${reply.statusCode}` };
        labels.set(key, known);
        latency.observe(known, reply.elapsedTime / 1000);
        done();
      });
    },

    /** What others count. Returns what brings it up to date, for when somebody asks. */
    watch(trainings: Calls<Trainings>, predictor: Predictor, streams: () => number): () => Promise<void> {
      collectDefaultMetrics({ register: registry });
      const labelNames = ["state"] as const;
      const gauge = (name: string, help: string) => new Gauge({ name: `downhill_${name}`, help, registers });
      const models = new Gauge({ name: "downhill_models", help: "Models by state", labelNames, registers });
      const queue = gauge("queue_length", "Trainings that wait");
      const running = gauge("trainings_running", "Trainings under way");
      const loaded = gauge("models_loaded", "Models loaded to predict");
      const bytes = gauge("models_loaded_bytes", "Memory of models loaded to predict");
      const open = gauge("event_streams", "Clients that follow trainings");
      const ended = new Counter({
        name: "downhill_trainings_total",
        help: "Trainings that have ended since the start, by how they did",
        labelNames,
        registers,
      });
      const epochs = new Counter({ name: "downhill_epochs_total", help: "Epochs trained since the start", registers });
      return async () => {
        const { states, finished, epochs: done } = await trainings.figures();
        queue.set(states.queued);
        running.set(states.training);
        loaded.set(predictor.figures.models);
        bytes.set(predictor.figures.bytes);
        open.set(streams());
        for (const [state, n] of Object.entries(states)) models.set({ state }, n);
        ended.reset();
        for (const state of ["trained", "failed", "cancelled"] satisfies State[]) ended.inc({ state }, finished[state]);
        epochs.reset();
        epochs.inc(done);
      };
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
