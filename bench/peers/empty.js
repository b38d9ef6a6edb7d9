// Node with a workload's files read and nothing else: what memory is counted over.

import { compete } from "./protocol.js";

compete(() => ({ step: () => 0, predict: () => new Float32Array(10), versions: {} }));
