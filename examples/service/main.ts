// The program: the service, and, started as a thread, a part of it.

import { getPriority, setPriority } from "node:os";
import { isMainThread, workerData } from "node:worker_threads";
import { readConfig } from "./config";
import { openService } from "./service";
import { Tables } from "./table";
import { serve, tell } from "./threads";
import { Trainings } from "./trainings";

/** How much longer than it waits for epochs a stop may take, in milliseconds: what is on the disk then is a checkpoint. */
const LATE = 250;
/** How much nicer than the thread that predicts the others are, and the workers that they start. */
const NICER = 10;

async function main(): Promise<void> {
  const fail = (error: Error) => {
    console.error(`downhill service: ${error.message}`);
    process.exit(1); // what is on the disk is whole
  };
  try {
    const config = readConfig();
    const { app, stop } = await openService(config, new URL(import.meta.url), fail);
    const end = () => {
      setTimeout(() => process.exit(0), config.stop + LATE).unref();
      void stop().then(() => process.exit(0), fail);
    };
    process.once("SIGTERM", end);
    process.once("SIGINT", end);
    console.log(`downhill service on ${await app.listen({ host: config.host, port: config.port })}`);
  } catch (error) {
    fail(error as Error);
  }
}

function thread(role: string): void {
  // elsewhere than on Linux this is of a whole process
  if (process.platform === "linux") setPriority(Math.min(19, getPriority() + NICER));
  serve(role === "tables" ? new Tables(readConfig()) : new Trainings(readConfig(), tell));
}

if (isMainThread) void main();
else thread(workerData.role);
