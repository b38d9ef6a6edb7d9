// The playground's worker: all of its training is here, and the races of the Descend tab, which has a worker of its own.

import type { DescendRequest } from "../descend/protocol";
import { answer } from "../descend/race";
import type { Request } from "./protocol";
import { trainer } from "./run";

const train = trainer((response, transfer) => self.postMessage(response, { transfer }));

self.onmessage = ({ data }: MessageEvent<Request | DescendRequest>) => {
  if ("tab" in data) answer(data, (reply, transfer) => self.postMessage(reply, { transfer }));
  else train(data);
};
