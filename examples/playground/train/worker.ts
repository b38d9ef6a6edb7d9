// The playground's worker: all of its training is here, and, in a worker of their own, the races of the Descend tab and the demos of
// the Chapter tab.

import * as demos from "../chapter/demos";
import type { DemoRequest } from "../chapter/protocol";
import type { DescendRequest } from "../descend/protocol";
import * as races from "../descend/race";
import type { Request } from "./protocol";
import { trainer } from "./run";

const train = trainer((response, transfer) => self.postMessage(response, { transfer }));

self.onmessage = ({ data }: MessageEvent<Request | DescendRequest | DemoRequest>) => {
  if (!("tab" in data)) train(data);
  else if (data.tab === "chapter") void demos.answer(data, (reply) => self.postMessage(reply));
  else races.answer(data, (reply, transfer) => self.postMessage(reply, { transfer }));
};
