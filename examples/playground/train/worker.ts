// The playground's worker: all of its training is here. The other tabs have a worker of their own, of the same script.

import type { AsideReply, AsideRequest } from "../asides";
import type { Request } from "./protocol";
import { trainer } from "./run";

const train = trainer((response, transfer) => self.postMessage(response, { transfer }));

self.onmessage = async ({ data }: MessageEvent<Request | AsideRequest>) => {
  if (!("tab" in data)) return train(data);
  try {
    const { answer } = await import("../asides");
    await answer(data, (reply, transfer = []) => self.postMessage(reply, { transfer }));
  } catch (error) {
    // without the net what is loaded on demand may not come
    const { tab, id } = data;
    self.postMessage({ tab, id, type: "error", message: String(error) } satisfies AsideReply);
  }
};
