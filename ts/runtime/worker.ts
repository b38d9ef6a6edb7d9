// What a worker of the team runs. It is a string because it starts from a Blob (a page) or from source (Node): no URL
// for a bundler to find. `port` is given by the platform.

import { Team } from "../../assembly/isa";

export default `
port.onmessage = ({ data: { module, memory, team, ith, nth } }) => {
  const words = new Int32Array(memory.buffer), base = team >>> 2;
  try {
    const core = new WebAssembly.Instance(module, { env: { memory } }).exports;
    const start = Atomics.load(words, base + ${Team.start});
    port.postMessage("ready");
    core.follow(team, ith, nth, start);
  } catch (error) {
    Atomics.store(words, base + ${Team.poison}, 1);
    Atomics.notify(words, base + ${Team.generation});
    port.postMessage(String(error));
  }
};
`;
