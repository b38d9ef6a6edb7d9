/** A worker, whatever the platform calls it. */
export interface WorkerHandle {
  /** `transfer`: buffers that go over to the worker, not copies of them. */
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  /** `onEnd` is called when the worker ends or fails, with why. */
  listen(onMessage: (message: unknown) => void, onEnd: (why: string) => void): void;
  terminate(): void;
}
