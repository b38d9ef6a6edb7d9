// The playground's worker: all of its training is here, and the races of the Descend tab, which has a worker of its own.

import type { DescendRequest } from "../descend/protocol";
import { answer } from "../descend/race";
import type { Request } from "./protocol";
import { trainer } from "./run";

const post = (message: unknown, transfer: Transferable[] = []) => self.postMessage(message, { transfer });
const train = trainer(post);

self.onmessage = ({ data }: MessageEvent<Request | DescendRequest>) => {
  if ("tab" in data) answer(data, post);
  else train(data);
};
