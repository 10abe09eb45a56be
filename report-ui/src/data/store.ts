// Opens the blocks of the page: base64 of gzip, in elements that nothing runs.

import type { Index, Place } from "./types";

const REMEMBERED = 24;

/** A block for which the page had no room. */
export class LeftOutError extends Error {}

export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < characters.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** The content of a block. Throws LeftOutError if the page does not have it. */
export async function openBlock(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const element = document.getElementById(name);
  if (!(element instanceof HTMLScriptElement)) throw new LeftOutError(name);
  const compressed = new Blob([bytesOfBase64(element.text)]).stream();
  const content = compressed.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(content).arrayBuffer());
}

export async function openJson<T>(name: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await openBlock(name))) as T;
}

export const openIndex = (): Promise<Index> => openJson<Index>("index");

const chunks = new Map<number, Promise<unknown[]>>();

/** All items of a chunk; those opened last are remembered. */
export function openChunk(number: number): Promise<unknown[]> {
  let items = chunks.get(number);
  chunks.delete(number);
  items ??= openJson<unknown[]>(`chunk-${number}`);
  chunks.set(number, items);
  if (chunks.size > REMEMBERED) chunks.delete(chunks.keys().next().value as number);
  return items;
}

export async function openItem<T>([chunk, position]: Place): Promise<T> {
  return (await openChunk(chunk))[position] as T;
}
