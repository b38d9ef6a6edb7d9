// What a browser is for the tests.

export interface Page {
  /** The value of an expression, a promise's once it is settled. */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

export interface Running {
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

export interface Browser {
  name: string;
  /** The programs that have to be there. */
  needs: string[];
  start(): Promise<Running>;
}

/** Milliseconds for a browser to start, and for one expression. */
export const START = 60_000;
export const EVALUATE = 240_000;
