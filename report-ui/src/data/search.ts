// Search in headers and bodies: chunk by chunk, in slices that leave the page free, and from memory the next time.

import { isTextMessage, requestContent } from "./body";
import type { Report } from "./report";
import { bytesOfBase64, openBlock, openChunk } from "./store";
import type { BlockReference, Content, Decryption, Entry, Message, SocketMessage, StreamEvent } from "./types";

export type Scope = "all" | "url" | "headers" | "bodies";

const SLICE_MS = 8;
/** Characters of haystacks that stay in memory. */
const REMEMBERED = 96_000_000;

interface Haystack {
  headers: string;
  bodies: string;
}

export class Searcher {
  private readonly haystacks = new Map<number, Haystack>();
  private readonly byChunk = new Map<number, number[]>();
  private remembered = 0;

  constructor(report: Report) {
    for (const exchange of report.exchanges) {
      const places = this.byChunk.get(exchange.at[0]);
      if (places) places[exchange.at[1]] = exchange.index;
      else this.byChunk.set(exchange.at[0], [exchange.index]);
    }
  }

  /** Tells of each exchange with the term in its headers or bodies; ends early when the signal says so. */
  async find(term: string, scope: Scope, found: (indices: number[]) => void, signal: AbortSignal): Promise<void> {
    let sliceEnd = performance.now() + SLICE_MS;
    for (const [chunk, indices] of this.byChunk) {
      const hits: number[] = [];
      let entries: unknown[] | null = null;
      for (let position = 0; position < indices.length; position++) {
        const index = indices[position] as number;
        let haystack = this.haystacks.get(index);
        if (!haystack) {
          entries ??= await openChunk(chunk).catch(() => []);
          haystack = await haystackOf(entries[position] as Entry | undefined);
          this.remember(index, haystack);
        }
        if (contains(haystack, term, scope)) hits.push(index);
        if (performance.now() > sliceEnd) {
          await pause();
          sliceEnd = performance.now() + SLICE_MS;
        }
        if (signal.aborted) return;
      }
      if (hits.length) found(hits);
    }
  }

  private remember(index: number, haystack: Haystack): void {
    const size = haystack.headers.length + haystack.bodies.length;
    if (this.remembered + size > REMEMBERED) return;
    this.remembered += size;
    this.haystacks.set(index, haystack);
  }
}

function contains(haystack: Haystack, term: string, scope: Scope): boolean {
  return (
    (scope !== "bodies" && haystack.headers.includes(term)) || (scope !== "headers" && haystack.bodies.includes(term))
  );
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

async function haystackOf(entry: Entry | undefined): Promise<Haystack> {
  if (!entry) return { headers: "", bodies: "" };
  const bodies: string[] = [];
  for (const piece of pieces(entry)) bodies.push(await textOf(piece));
  const headers = [...headersOf(entry.request), ...headersOf(entry.response)].join("\n");
  return { headers: headers.toLowerCase(), bodies: bodies.join("\n").toLowerCase() };
}

function headersOf(message: Message): string[] {
  return [...(message.headers ?? []), ...(message._trailers ?? [])].map((header) => `${header.name}: ${header.value}`);
}

interface Piece {
  text?: string;
  binary: boolean;
  block?: BlockReference;
}

function* pieces(entry: Entry): Generator<Piece> {
  for (const content of [requestContent(entry.request), entry.response.content]) {
    if (content) yield contentPiece(content);
  }
  for (const message of [entry.request, entry.response]) {
    if (message._decryption) yield decryptionPiece(message._decryption);
  }
  for (const message of entry._webSocketMessages ?? []) yield socketPiece(message);
  for (const event of entry._eventStream ?? []) yield eventPiece(event);
}

const contentPiece = (content: Content): Piece => ({
  text: content.text,
  binary: content.encoding === "base64",
  block: content._block,
});

const decryptionPiece = (decryption: Decryption): Piece => ({
  text: decryption.originalBase64Content,
  binary: true,
  block: decryption._block,
});

const socketPiece = (message: SocketMessage): Piece => ({
  text: message.data,
  binary: !isTextMessage(message),
  block: message._block,
});

const eventPiece = (event: StreamEvent): Piece => ({ text: event.data, binary: false, block: event._block });

async function textOf(piece: Piece): Promise<string> {
  if (piece.block) {
    const bytes = await openBlock(piece.block.name).catch(() => new Uint8Array());
    return new TextDecoder().decode(bytes);
  }
  if (!piece.binary) return piece.text ?? "";
  try {
    return new TextDecoder().decode(bytesOfBase64(piece.text ?? ""));
  } catch {
    return piece.text ?? "";
  }
}
