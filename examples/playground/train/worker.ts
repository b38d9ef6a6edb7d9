// The playground's worker: all of its training is here.

import type { Request } from "./protocol";
import { trainer } from "./run";

const train = trainer((response, transfer) => self.postMessage(response, { transfer }));

self.onmessage = ({ data }: MessageEvent<Request>) => train(data);
