// Protocol Buffers without a schema: what the wire format itself tells (protobuf.dev/programming-guides/encoding).
//
// A length-delimited field may be a message, a text or bytes: it is taken for a message where all of it reads as one,
// else for a text where all of it is printable UTF-8, else for bytes.

export type Value =
  | { kind: "varint"; value: bigint }
  | { kind: "fixed64"; bytes: Uint8Array }
  | { kind: "fixed32"; bytes: Uint8Array }
  | { kind: "message"; fields: Field[]; bytes: Uint8Array }
  | { kind: "text"; text: string }
  | { kind: "bytes"; bytes: Uint8Array };

export interface Field {
  number: number;
  value: Value;
}

const DEEPEST = 24;
const MOST_FIELDS = 20_000;

class Reader {
  position = 0;

  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.position >= this.bytes.length;
  }

  /** Null if the varint is cut short or longer than 64 bits. */
  varint(): bigint | null {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) return null;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value < 1n << 64n ? value : null;
    }
    return null;
  }

  take(length: number): Uint8Array | null {
    if (length > this.bytes.length - this.position) return null;
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }
}

/** The fields of a message; null if the bytes are none. */
export function decodeProtobuf(bytes: Uint8Array): Field[] | null {
  return bytes.length ? message(bytes, 0, { fields: 0 }) : null;
}

function message(bytes: Uint8Array, depth: number, used: { fields: number }): Field[] | null {
  const reader = new Reader(bytes);
  const fields: Field[] = [];
  while (!reader.done) {
    if (++used.fields > MOST_FIELDS) return null;
    const tag = reader.varint();
    if (tag === null || tag >= 1n << 32n) return null;
    const number = Number(tag >> 3n);
    const value = number === 0 ? null : field(reader, Number(tag & 7n), depth, used);
    if (value === null) return null;
    fields.push({ number, value });
  }
  return fields;
}

function field(reader: Reader, wireType: number, depth: number, used: { fields: number }): Value | null {
  if (wireType === 0) {
    const value = reader.varint();
    return value === null ? null : { kind: "varint", value };
  }
  if (wireType === 1 || wireType === 5) {
    const bytes = reader.take(wireType === 1 ? 8 : 4);
    return bytes && { kind: wireType === 1 ? "fixed64" : "fixed32", bytes };
  }
  if (wireType !== 2) return null; // groups were given up long ago
  const length = reader.varint();
  const bytes = length === null || length > 0x7fffffffn ? null : reader.take(Number(length));
  return bytes && delimited(bytes, depth, used);
}

function delimited(bytes: Uint8Array, depth: number, used: { fields: number }): Value {
  const text = textOf(bytes);
  if (text !== null) return { kind: "text", text };
  const fields = bytes.length && depth < DEEPEST ? message(bytes, depth + 1, used) : null;
  return fields ? { kind: "message", fields, bytes } : { kind: "bytes", bytes };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** The messages of a gRPC body, each with a prefix of five bytes; null if it is none. */
export function grpcMessages(bytes: Uint8Array): { compressed: boolean; bytes: Uint8Array }[] | null {
  const messages: { compressed: boolean; bytes: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;
  while (position < bytes.length) {
    if (position + 5 > bytes.length || view.getUint8(position) > 1) return null;
    const end = position + 5 + view.getUint32(position + 1);
    if (end > bytes.length) return null;
    messages.push({ compressed: view.getUint8(position) === 1, bytes: bytes.subarray(position + 5, end) });
    position = end;
  }
  return messages.length ? messages : null;
}
