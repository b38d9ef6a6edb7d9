/** A worker, whatever the platform calls it. */
export interface WorkerHandle {
  post(message: unknown): void;
  /** `onEnd` is called when the worker ends or fails, with why. */
  listen(onMessage: (message: unknown) => void, onEnd: (why: string) => void): void;
  terminate(): void;
}
