import { useRef } from "preact/hooks";
import { useVirtual } from "../ui/virtual";

const WIDTH = 16;
const LINE = 20;
const MOST_LINES = 18;

/** Offsets, bytes and characters; only the lines in sight are made. */
export function HexView({ bytes }: { bytes: Uint8Array }) {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = Math.ceil(bytes.length / WIDTH);
  const virtual = useVirtual({
    count: lines,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 8,
  });
  return (
    <div
      class="hex"
      ref={scroller}
      role="region"
      aria-label="Bytes in hexadecimal"
      tabIndex={0}
      style={{ height: `${Math.min(lines, MOST_LINES) * LINE + 18}px` }}
    >
      <div style={{ height: `${virtual.getTotalSize()}px` }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <div class="hex-line" key={index} style={{ transform: `translateY(${start}px)` }}>
            <span class="muted">{(index * WIDTH).toString(16).padStart(8, "0")}</span>
            <span>{hexOf(bytes, index * WIDTH)}</span>
            <span class="characters">{charactersOf(bytes, index * WIDTH)}</span>
          </div>
        ))}
      </div>
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
