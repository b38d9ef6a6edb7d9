// What the reference's check must complain of: see reference.test.ts.

export const bare = (): number => 1;

export const five = 5;

/** See {@link nowhere}. */
export interface Options {
  bare?: number;
}

export interface Bare {
  /** It has documentation, its interface none. */
  documented?: number;
}

/**
 * A function.
 *
 * @param wrong is not its parameter
 */
export const odd = (right: number): Hidden => ({ right });

interface Hidden {
  right: number;
}
