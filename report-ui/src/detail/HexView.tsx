import { useRef } from "preact/hooks";
import { plural } from "../format/text";
import { usePrinting } from "../ui/printing";
import { useVirtual } from "../ui/virtual";

const WIDTH = 16;
const LINE = 20;
const MOST_LINES = 18;
const MOST_PRINTED = 2000;

/** Offsets, bytes and characters; only the lines in sight are made, or those that are printed. */
export function HexView({ bytes }: { bytes: Uint8Array }) {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = Math.ceil(bytes.length / WIDTH);
  const virtual = useVirtual({
    count: lines,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 8,
  });
  const printing = usePrinting();
  const items = printing
    ? Array.from({ length: Math.min(lines, MOST_PRINTED) }, (_, index) => ({ index, start: 0 }))
    : virtual.getVirtualItems();
  const left = bytes.length - MOST_PRINTED * WIDTH;
  return (
    <div
      class="hex"
      ref={scroller}
      role="region"
      aria-label="Bytes in hexadecimal"
      tabIndex={0}
      style={{ height: printing ? "auto" : `${Math.min(lines, MOST_LINES) * LINE + 18}px` }}
    >
      <div style={{ height: printing ? "auto" : `${virtual.getTotalSize()}px` }}>
        {items.map(({ index, start }) => (
          <div class="hex-line" key={index} style={printing ? {} : { transform: `translateY(${start}px)` }}>
            <span class="muted">{(index * WIDTH).toString(16).padStart(8, "0")}</span>
            <span>{hexOf(bytes, index * WIDTH)}</span>
            <span class="characters">{charactersOf(bytes, index * WIDTH)}</span>
          </div>
        ))}
      </div>
      {printing && left > 0 && <p class="notice">{plural(left, "more byte")} are not printed: Save has them all.</p>}
    </div>
  );
}

function hexOf(bytes: Uint8Array, from: number): string {
  let line = "";
  for (let place = from; place < from + WIDTH; place++) {
    const byte = bytes[place];
    line += byte === undefined ? "   " : `${byte.toString(16).padStart(2, "0")} `;
    if (place === from + WIDTH / 2 - 1) line += " ";
  }
  return line;
}

function charactersOf(bytes: Uint8Array, from: number): string {
  let line = "";
  for (const byte of bytes.subarray(from, from + WIDTH)) {
    line += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
  }
  return line;
}
