// A body's bytes and text, wherever they are: in the entry, or in a block of their own.

import { bytesOfBase64, openBlock } from "./store";
import type { Content, Decryption, RequestMessage, SocketMessage, StreamEvent } from "./types";

export interface Body {
  bytes: Uint8Array<ArrayBuffer>;
  /** The text, if it is one. */
  text: string | null;
}

export const requestContent = (request: RequestMessage): Content | undefined => request.postData ?? request._content;

export async function openContent(content: Content): Promise<Body> {
  if (content._block) return asBody(await openBlock(content._block.name), content.encoding !== "base64");
  return content.encoding === "base64" ? ofBase64(content.text ?? "") : ofText(content.text ?? "");
}

export async function openEncrypted(decryption: Decryption): Promise<Body> {
  if (decryption._block) return asBody(await openBlock(decryption._block.name), false);
  return ofBase64(decryption.originalBase64Content ?? "");
}

export const isTextMessage = (message: SocketMessage): boolean =>
  message.opcode === 1 && message._encoding !== "base64";

export async function openMessage(message: SocketMessage): Promise<Body> {
  if (message._block) return asBody(await openBlock(message._block.name), isTextMessage(message));
  return isTextMessage(message) ? ofText(message.data ?? "") : ofBase64(message.data ?? "");
}

export async function openEvent(event: StreamEvent): Promise<Body> {
  return event._block ? asBody(await openBlock(event._block.name), true) : ofText(event.data ?? "");
}

export function ofText(text: string): Body {
  return { bytes: new TextEncoder().encode(text), text };
}

function ofBase64(text: string): Body {
  try {
    return asBody(bytesOfBase64(text), false);
  } catch {
    return ofText(text);
  }
}

/** Bytes; their text, if it is known to be one or is found to be one. */
export function asBody(bytes: Uint8Array<ArrayBuffer>, isText: boolean): Body {
  if (isText) return { bytes, text: new TextDecoder().decode(bytes) };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { bytes, text: /[\x00-\x08\x0b\x0c\x0e-\x1f]/.test(text) ? null : text };
  } catch {
    return { bytes, text: null };
  }
}
