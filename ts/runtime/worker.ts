// What a worker of the team runs. It is a string because it starts from a Blob (a page) or from source (Node): no URL
// for a bundler to find. `port` is given by the platform. Imports nothing: what a module shares with one that is loaded on
// demand is a file of its own in a bundle.

/** The source, for a team block with these words at these places. */
export default (start: number, poison: number, generation: number): string => `
port.onmessage = ({ data: { module, memory, team, ith, nth } }) => {
  const words = new Int32Array(memory.buffer), base = team >>> 2;
  try {
    const core = new WebAssembly.Instance(module, { env: { memory } }).exports;
    const start = Atomics.load(words, base + ${start});
    port.postMessage("ready");
    core.follow(team, ith, nth, start);
  } catch (error) {
    Atomics.store(words, base + ${poison}, 1);
    Atomics.notify(words, base + ${generation});
    port.postMessage(String(error));
  }
};
`;
