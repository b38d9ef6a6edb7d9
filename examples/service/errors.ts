// What a request is refused with: a status, a code for programs, a text for people.

export class ServiceError extends Error {
  override readonly name = "ServiceError";

  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A value in a text, cut short. */
export function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}` : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** The request is well-formed, and asks for what cannot be. */
export const unprocessable = (message: string) => new ServiceError(422, "unprocessable", message);

export const tooLarge = (message: string) => new ServiceError(413, "too_large", message);

export const badRequest = (message: string) => new ServiceError(400, "bad_request", message);

export const notFound = (id: string) =>
  new ServiceError(404, "not_found", `expected the id of a model, got ${show(id)}`);

export const wrongState = (message: string) => new ServiceError(409, "wrong_state", message);

export const busy = (message: string) => new ServiceError(429, "busy", message);
