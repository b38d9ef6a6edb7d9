// A transform of asc (asconfig.json): takes the list of kernels and its function objects out of the core's memory, where
// nothing reads them (table.ts): 4 KB, and 0.8 once deflated.

/** Bytes before an object's content. */
const HEADER = 16;

export default class FunctionObjects {
  afterCompile(module) {
    const segments = Array.from({ length: module.getNumDataSegments() }, (_, i) => {
      const { name, offset, data } = module.getDataSegmentInfo(module.getDataSegmentByIndex(i));
      return { name, offset: module.i32.const(offset), data: new Uint8Array(data), address: offset + HEADER + 4 };
    });
    const words = ({ data }) => new Uint32Array(data.buffer.slice(HEADER));
    /** Function objects by their address: (bytes, function-table index, 0, padding). */
    const objects = new Map();
    for (const segment of segments) {
      const [bytes, index] = words(segment);
      if (segment.data.length === 32 && bytes === 8) objects.set(segment.address, { index, segment });
    }
    const list = segments.find((segment) => {
      const [bytes, ...members] = words(segment);
      return bytes > 64 && members.slice(0, bytes / 4).every((member) => objects.has(member));
    });
    if (!list) throw new Error("asconfig.transform: no list of kernels");
    const [bytes, ...members] = words(list);
    const kernels = members.slice(0, bytes / 4).map((member) => objects.get(member));
    const stray = kernels.findIndex(({ index }, op) => index !== op + 1);
    if (stray >= 0) throw new Error(`asconfig.transform: opcode ${stray}'s function is number ${kernels[stray].index}`);
    const dead = new Set([list, ...kernels.map(({ segment }) => segment)]);
    const { module: from, base, initial, max, shared } = module.getMemoryInfo("0");
    const live = segments.filter((segment) => !dead.has(segment));
    module.setMemory(initial, max, null, live, shared, false, "0");
    module.addMemoryImport("0", from, base, shared);
  }
}
