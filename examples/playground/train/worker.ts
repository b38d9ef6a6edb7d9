// The playground's worker: all of its training is here, that of the Train tab and the races of Descend.

import type { DescendRequest } from "../descend/protocol";
import { answer } from "../descend/race";
import type { Request } from "./protocol";
import { trainer } from "./run";

const post = (message: unknown, transfer: Transferable[] = []) => self.postMessage(message, { transfer });
const train = trainer(post);

self.onmessage = ({ data }: MessageEvent<Request | DescendRequest>) =>
  "tab" in data ? answer(data, post) : train(data);
