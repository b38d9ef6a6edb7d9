// Import it first, for its effect: whatever may run on a team of threads does, however small it is. Otherwise tapes that
// make less than 100 µs, which are those of small models, stay on one thread, and their bits are equal whatever the
// kernels do.

import { Header, Mode, Op } from "../../assembly/isa";
import { TapeWriter } from "../../ts/graph/tape";

const { push, finish } = TapeWriter.prototype;

TapeWriter.prototype.push = function (...args) {
  push.apply(this, args);
  this.instructions.at(-1)!.team = (args[6] ?? true) && this.threads > 1;
};

TapeWriter.prototype.finish = function () {
  const wanted = this.instructions.map(({ team }) => team);
  const tape = finish.call(this);
  const any = wanted.includes(true);
  for (const [i, instruction] of tape.instructions.entries()) {
    instruction.team = any && (wanted[i]! || instruction.opcode === Op.guard);
    tape.words[instruction.at + Header.mode] = instruction.team ? Mode.team : Mode.solo;
  }
  return tape;
};
