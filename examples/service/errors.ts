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

const MOST = 100;
const cut = (text: string) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text);
const isShort = (value: unknown) => typeof value !== "object" || value === null;

/** A value in a text, however large it is or deep it goes. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (Array.isArray(value))
    return value.length <= MOST && value.every(isShort)
      ? cut(`[${value.map(show).join(", ")}]`)
      : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null)
    return cut(`an object of ${Object.keys(value).map(show).join(", ") || "nothing"}`);
  return String(value);
}

/** The request is well-formed, and asks for what cannot be. */
export const unprocessable = (message: string) => new ServiceError(422, "unprocessable", message);

export const tooLarge = (message: string) => new ServiceError(413, "too_large", message);

export const badRequest = (message: string) => new ServiceError(400, "bad_request", message);

export const crossSite = (origin: unknown) =>
  new ServiceError(
    403,
    "cross_site",
    `expected a request that no page of another site sends, got one of ${show(origin)}`,
  );

export const notFound = (id: string) =>
  new ServiceError(404, "not_found", `expected the id of a model, got ${show(id)}`);

export const wrongState = (message: string) => new ServiceError(409, "wrong_state", message);

export const busy = (message: string) => new ServiceError(429, "busy", message);

export const noStorage = (why: string) =>
  new ServiceError(507, "no_storage", `expected a database that takes changes, got an error (${why})`);
