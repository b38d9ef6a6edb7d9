// The playground's worker: all of its training is here. The other tabs have a worker of their own, of the same script.

import type { AsideRequest } from "../asides";
import type { Request } from "./protocol";
import { trainer } from "./run";

const train = trainer((response, transfer) => self.postMessage(response, { transfer }));

self.onmessage = async ({ data }: MessageEvent<Request | AsideRequest>) => {
  if (!("tab" in data)) return train(data);
  const { answer } = await import("../asides");
  await answer(data, (reply, transfer = []) => self.postMessage(reply, { transfer }));
};
