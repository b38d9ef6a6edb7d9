// A bare core that runs tapes alone or with a thread team, for kernel rows: raw instructions, no library in between.

import { Status, Team } from "../assembly/isa";
import { BareCore, type Buffer, type Tape } from "../test/support/bareCore";
import type { Host } from "./host";

export type Build = "strict" | "fastMath";

/** The worker's side, for hosts whose workers take a source text; `post` and `data` are the host's. */
export const followSource = `
  const instance = new WebAssembly.Instance(data.module, { env: { memory: data.memory } });
  post("ready");
  instance.exports.follow(data.team, data.ith, data.nth, data.start);
`;

export class BenchCore extends BareCore {
  readonly #team: Buffer | undefined;
  #end: (() => void)[] = [];

  private constructor(
    module: WebAssembly.Module,
    readonly build: Build,
    readonly threads: number,
  ) {
    super(module, threads > 1);
    if (threads === 1) return;
    this.#team = this.buffer(Team.words);
    this.#team.u32.fill(0);
    this.#team.u32[Team.patience] = 1000;
    this.#team.u32[Team.looks] = 400_000; // as ts/runtime/team.ts has it
  }

  static async open(host: Host, build: Build, threads: number): Promise<BenchCore> {
    const module = await host.core(threads > 1 ? `${build}Shared` : build);
    const core = new BenchCore(module, build, threads);
    for (let ith = 1; ith < threads; ith++)
      core.#end.push(
        await host.startWorker({
          module,
          memory: core.memory,
          team: core.#team!.address,
          ith,
          nth: threads,
          start: 0,
        }),
      );
    return core;
  }

  /** Runs a tape to its end. */
  run(tape: Tape): void {
    const { exports, threads } = this;
    let status = this.#team
      ? exports.lead(this.#team.address, tape.from, tape.to, threads)
      : exports.run(tape.from, tape.to);
    while (status === Status.stalled) status = exports.resume(this.#team!.address, threads);
    if (status !== Status.done) throw new Error(`the tape ended with status ${status}`);
  }

  /** Ends the team. */
  close(): void {
    if (this.#team) Atomics.store(this.#team.i32, Team.poison, 1);
    for (const end of this.#end) end();
    this.#end = [];
  }
}
