// A body in the forms that fit it; hex always does.

import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Body } from "../data/body";
import { decodeProtobuf, grpcMessages } from "../format/protobuf";
import { bytes, printable } from "../format/text";
import { Choice, CopyButton, saveBytes } from "../ui/basics";
import { HexView } from "./HexView";
import { JsonView } from "./JsonView";
import { Pairs } from "./MessageView";
import { ProtobufView } from "./ProtobufView";

type Form = "json" | "form" | "protobuf" | "image" | "text" | "hex";

interface View {
  label: string;
  show: () => ComponentChildren;
}

export function BodyView({ body, mimeType, name }: { body: Body; mimeType: string; name: string }) {
  const views = useMemo(() => viewsOf(body, mimeType), [body, mimeType]);
  const [form, setForm] = useState<Form | null>(null);
  const chosen = form && views.has(form) ? form : ([...views.keys()][0] as Form);
  return (
    <div class="body">
      <div class="body-bar">
        <Choice
          label="Form of the body"
          options={[...views].map(([id, view]) => [id, view.label] as const)}
          value={chosen}
          onChoose={setForm}
        />
        <span class="spring" />
        {body.text !== null && <CopyButton text={body.text} />}
        <button type="button" class="small" onClick={() => saveBytes(body.bytes, `${name}.bin`)}>
          Save
        </button>
      </div>
      {views.get(chosen)?.show()}
    </div>
  );
}

/** The forms that fit, the best first. */
function viewsOf(body: Body, mimeType: string): Map<Form, View> {
  const views = new Map<Form, View>();
  const { text } = body;
  const json = text === null ? undefined : parsedJson(text);
  if (json !== undefined) views.set("json", { label: "JSON", show: () => <JsonView value={json} /> });
  const image = imageType(body.bytes, mimeType);
  if (image) views.set("image", { label: "Image", show: () => <ImageView bytes={body.bytes} type={image} /> });
  if (text !== null && json === undefined && isForm(text, mimeType)) {
    views.set("form", { label: "Form", show: () => <Pairs pairs={formPairs(text)} /> });
  }
  const messages = text === null || /proto|grpc/i.test(mimeType) ? protobufOf(body.bytes, mimeType) : null;
  if (messages) views.set("protobuf", { label: "Protobuf", show: () => <ProtobufView messages={messages} /> });
  if (text !== null) views.set("text", { label: "Text", show: () => <TextView text={text} /> });
  views.set("hex", { label: "Hex", show: () => <HexView bytes={body.bytes} /> });
  return views;
}

function parsedJson(text: string): unknown {
  // Some put a guard before it, so that it cannot be taken for a script.
  const json = text.replace(/^\ufeff?\s*\)\]\}',?\s*/, "").trimStart();
  if (!/^[[{]/.test(json)) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const isForm = (text: string, mimeType: string): boolean =>
  /^application\/x-www-form-urlencoded/i.test(mimeType) ||
  /^[\w.~%+[\]-]+=[^\s{}<>]*(&[\w.~%+[\]-]+=[^\s{}<>]*)+$/.test(text.slice(0, 65_536));

const formPairs = (text: string) => [...new URLSearchParams(text)].map(([name, value]) => ({ name, value }));

function protobufOf(bytes: Uint8Array, mimeType: string) {
  if (/grpc/i.test(mimeType)) {
    const messages = grpcMessages(bytes);
    if (messages) {
      return messages.map((message) => ({
        compressed: message.compressed,
        fields: message.compressed ? null : (decodeProtobuf(message.bytes) ?? []),
        bytes: message.bytes,
      }));
    }
  }
  const fields = decodeProtobuf(bytes);
  return fields && [{ compressed: false, fields, bytes }];
}

const SIGNATURES: [string, number[]][] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
  ["image/bmp", [0x42, 0x4d]],
  ["image/x-icon", [0x00, 0x00, 0x01, 0x00]],
];

/** The type of an image that is none but pixels: a drawing (SVG) is a program of its own, and shown as text. */
function imageType(bytes: Uint8Array, mimeType: string): string | null {
  const declared = /^image\/(png|jpe?g|gif|bmp|webp|avif|x-icon|vnd\.microsoft\.icon)\b/i.exec(mimeType)?.[0];
  const found = SIGNATURES.find(([, signature]) => signature.every((byte, place) => bytes[place] === byte));
  const tag = String.fromCharCode(...bytes.subarray(0, 12));
  if (/^RIFF[\s\S]{4}WEBP/.test(tag)) return "image/webp";
  if (/^[\s\S]{4}ftypavi[fs]/.test(tag)) return "image/avif";
  return (found && (declared || found[1].length > 2) ? found[0] : declared?.toLowerCase()) ?? null;
}

function ImageView({ bytes: content, type }: { bytes: Uint8Array<ArrayBuffer>; type: string }) {
  const [address, setAddress] = useState("");
  const [size, setSize] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([content], { type }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [content, type]);
  if (!address) return null;
  return (
    <figure class="image">
      <img
        src={address}
        alt={`Image from the capture, ${type}`}
        onLoad={(event) => setSize(`${event.currentTarget.naturalWidth} × ${event.currentTarget.naturalHeight}, `)}
        onError={() => setSize("the browser cannot show it, ")}
      />
      <figcaption class="muted">
        {type}, {size}
        {bytes(content.length)}
      </figcaption>
    </figure>
  );
}

const SHOWN_AT_ONCE = 100_000;

function TextView({ text }: { text: string }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  return (
    <>
      <pre class="text" tabIndex={0}>
        {printable(text.slice(0, shown))}
      </pre>
      {text.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown * 4)}>
          Show more of {bytes(text.length)}
        </button>
      )}
    </>
  );
}
