// Files as the platforms have them.

/** Bytes that are read in parts. */
export interface ByteSource {
  /** Where they are, for messages; "" where they have no name. */
  name: string;
  size: number;
  /** Up to `length` bytes from `at` on: fewer where the source ends. */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): unknown;
}

/** A file under another name until it is whole. */
export interface AtomicFile {
  /** Writes behind what was written so, or at a place. A failure discards the file. */
  write(bytes: Uint8Array, at?: number): Promise<void>;
  read(at: number, length: number): Promise<Uint8Array>;
  /** Gives it its name. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** An image to be decoded. */
export interface ImageRequest {
  /** A path, or a file. */
  source: string | Blob;
  width: number;
  height: number;
  /** 3, or 4: with alpha. Without it what is transparent is black. */
  channels: 3 | 4;
}
