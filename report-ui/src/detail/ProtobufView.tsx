import { useState } from "preact/hooks";
import type { Field, Value } from "../format/protobuf";
import { bytes, plural, printable } from "../format/text";

export interface ProtobufMessage {
  compressed: boolean;
  /** Null if it could not be read, being compressed. */
  fields: Field[] | null;
  bytes: Uint8Array;
}

const SHOWN_AT_ONCE = 200;
const OPEN_TO_DEPTH = 3;
const SHORT_BYTES = 32;

/** Fields by their numbers: without the schema, there are no names. */
export function ProtobufView({ messages }: { messages: ProtobufMessage[] }) {
  return (
    <div class="tree" tabIndex={0}>
      {messages.map((message, place) => (
        <div key={place}>
          {messages.length > 1 && <p class="muted">Message {place + 1}</p>}
          {message.fields ? (
            <Fields fields={message.fields} depth={0} />
          ) : (
            <p class="muted">{bytes(message.bytes.length)}, compressed</p>
          )}
        </div>
      ))}
    </div>
  );
}

function Fields({ fields, depth }: { fields: Field[]; depth: number }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  return (
    <div class="children">
      {fields.slice(0, shown).map((field, place) => (
        <FieldView key={place} field={field} depth={depth} />
      ))}
      {fields.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown + 5 * SHOWN_AT_ONCE)}>
          Show more of {fields.length}
        </button>
      )}
    </div>
  );
}

function FieldView({ field, depth }: { field: Field; depth: number }) {
  const [open, setOpen] = useState(depth < OPEN_TO_DEPTH);
  const { number, value } = field;
  if (value.kind === "message") {
    return (
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class="name">{number}</span> <span class="muted">message, {plural(value.fields.length, "field")}</span>
        </summary>
        {open && <Fields fields={value.fields} depth={depth + 1} />}
      </details>
    );
  }
  return (
    <div class="leaf">
      <span class="name">{number}</span> <span class="muted">{value.kind}: </span>
      <Scalar value={value} />
    </div>
  );
}

function Scalar({ value }: { value: Exclude<Value, { kind: "message" }> }) {
  switch (value.kind) {
    case "text":
      return <bdi class="string">{printable(value.text)}</bdi>;
    case "varint":
      return <span class="number">{varintReadings(value.value)}</span>;
    case "bytes":
      return (
        <span class="mono">
          {hex(value.bytes.subarray(0, SHORT_BYTES))}
          {value.bytes.length > SHORT_BYTES && <span class="muted"> … {bytes(value.bytes.length)}</span>}
        </span>
      );
    default:
      return <span class="number">{fixedReadings(value.bytes)}</span>;
  }
}

/** The number, and what it is as a negative one where that is likely. */
function varintReadings(value: bigint): string {
  const signed = BigInt.asIntN(64, value);
  return signed < 0n ? `${value} (int64 ${signed})` : String(value);
}

function fixedReadings(content: Uint8Array): string {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const isLong = content.length === 8;
  const integer = isLong ? view.getBigUint64(0, true) : view.getUint32(0, true);
  const float = isLong ? view.getFloat64(0, true) : view.getFloat32(0, true);
  return `${integer} (${isLong ? "double" : "float"} ${Number(float.toPrecision(isLong ? 15 : 7))})`;
}

const hex = (content: Uint8Array): string => [...content].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
