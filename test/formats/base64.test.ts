import { expect, test } from "vitest";
import { decodeBytes, encodeBase64 } from "../../ts/formats/base64";
import { random } from "../support/mutations";

test("bytes of every length become base64 and come back", () => {
  const rand = random(1);
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, () => rand(256));
    const text = encodeBase64(bytes);
    expect(text).toBe(Buffer.from(bytes).toString("base64"));
    expect(decodeBytes("test", text, length)).toEqual(bytes);
  }
});

test("what is not base64 of that many bytes is a format error", () => {
  for (const text of ["AAA", "AAAAA===", "AA!=", "AA==", "", 5, undefined, "\u00e9AAA"])
    expect(() => decodeBytes("test", text, 2)).toThrow(expect.objectContaining({ code: "format" }));
});
