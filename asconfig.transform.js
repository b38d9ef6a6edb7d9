// What asc is to do to the core beyond its options (asconfig.json).

/** Bytes before an object's content. */
const HEADER = 16;

export default class CoreTransform {
  afterCompile(module) {
    if (!module.getNumDataSegments()) return; // the scalars: no kernels
    dropFunctionObjects(module);
    const emit = module.emitBinary;
    module.emitBinary = (...args) => {
      addSmallFunctions(module, this.binaryen);
      return emit.apply(module, args);
    };
  }
}

/** Takes the lists of kernels and their function objects out of memory: nothing reads them (assembly/kernels.ts). */
function dropFunctionObjects(module) {
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
  const membersOf = (segment) => {
    const [bytes, ...members] = words(segment);
    return members.slice(0, bytes / 4);
  };
  const lists = segments.filter((segment) => {
    const members = membersOf(segment);
    return members.length > 4 && members.every((member) => objects.has(member));
  });
  if (!lists.length) throw new Error("asconfig.transform: no list of kernels");
  const kernels = lists.flatMap((list) => membersOf(list).map((member) => objects.get(member)));
  const first = kernels[0].index; // 1, or of the extension, where its part of the table begins
  const stray = kernels.findIndex(({ index }, i) => index !== first + i);
  if (stray >= 0) throw new Error(`asconfig.transform: kernel ${stray}'s function is number ${kernels[stray].index}`);
  const dead = new Set([...lists, ...kernels.map(({ segment }) => segment)]);
  const { module: from, base, initial, max, shared } = module.getMemoryInfo("0");
  const live = segments.filter((segment) => !dead.has(segment));
  module.setMemory(initial, max, null, live, shared, false, "0");
  module.addMemoryImport("0", from, base, shared);
}

/**
 * Adds as many empty functions as there are others. V8 takes a module of which few functions are below 50 bytes for one
 * that has been inlined as far as is good, and inlines a tenth as much; with half of them small it inlines helpers such
 * as exp4, load4's and pointer, which the core has as calls for their size: softmax runs 1.4 times as fast. A run of equal
 * functions takes ten bytes once deflated.
 */
export function addSmallFunctions(module, { createType, none }) {
  if (module.getFunction("small/0")) return; // asc emits again
  const signature = createType([]);
  for (let i = module.getNumFunctions() - 1; i >= 0; i--)
    module.addFunction(`small/${i}`, signature, none, [], module.nop());
}
