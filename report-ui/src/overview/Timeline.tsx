// When who talked: a line for each sender, a mark for each exchange, as many exchanges as share a mark's place the higher.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { colourOf, type Exchange, type Report } from "../data/report";
import { go, hrefOf } from "../data/route";
import { count, offset, oneLine, plural } from "../format/text";
import { Section } from "../ui/basics";
import { useWidth } from "./Flows";

interface Span {
  from: number;
  to: number;
}

interface Lane {
  name: string;
  others: number;
  exchanges: Exchange[];
}

const MOST_LANES = 10;
const LANE = 30;
const AXIS = 22;
const BIN = 3;
const LEAST_SPAN = 0.001;
const STEP = 1.8;

export function Timeline({ report }: { report: Report }) {
  const lanes = useMemo(() => lanesOf(report), [report]);
  const margin = (report.end - report.begin) * 0.005 || 0.5;
  const whole = { from: report.begin - margin, to: report.end + margin };
  const [span, setSpan] = useState<Span>(whole);
  if (!lanes.length) return null;
  const isWhole = span.from <= whole.from && span.to >= whole.to;
  const show = (next: Span) => {
    const size = Math.min(Math.max(next.to - next.from, LEAST_SPAN), whole.to - whole.from);
    const from = Math.min(Math.max(next.from, whole.from), whole.to - size);
    setSpan({ from, to: from + size });
  };
  const zoom = (factor: number, at = (span.from + span.to) / 2) =>
    show({ from: at - (at - span.from) * factor, to: at + (span.to - at) * factor });
  const slide = (part: number) => {
    const step = (span.to - span.from) * part;
    show({ from: span.from + step, to: span.to + step });
  };
  const inSpan = report.exchanges.filter((exchange) => exchange.time >= span.from && exchange.time <= span.to).length;
  return (
    <Section
      title="When"
      note="Drag over the line to look closer."
      actions={
        <>
          <button type="button" class="small" onClick={() => zoom(1 / STEP)} aria-label="Zoom in">
            +
          </button>
          <button type="button" class="small" onClick={() => zoom(STEP)} disabled={isWhole} aria-label="Zoom out">
            −
          </button>
          <button type="button" class="small" onClick={() => slide(-0.5)} disabled={isWhole} aria-label="Earlier">
            ←
          </button>
          <button type="button" class="small" onClick={() => slide(0.5)} disabled={isWhole} aria-label="Later">
            →
          </button>
          <button type="button" class="small" onClick={() => setSpan(whole)} disabled={isWhole}>
            All
          </button>
        </>
      }
    >
      <Plot report={report} lanes={lanes} span={span} show={show} zoom={zoom} slide={slide} />
      <p class="note" aria-live="polite">
        {isWhole ? (
          plural(report.exchanges.length, "exchange")
        ) : (
          <a href={hrefOf({ view: "exchanges", filter: { from: round(span.from), to: round(span.to) } })}>
            {plural(inSpan, "exchange")} in sight: show them
          </a>
        )}
      </p>
    </Section>
  );
}

const round = (time: number): number => Math.round(time * 1e6) / 1e6;

function lanesOf(report: Report): Lane[] {
  const bySender = new Map<string, Exchange[]>();
  for (const exchange of report.exchanges) {
    const list = bySender.get(exchange.sender);
    if (list) list.push(exchange);
    else bySender.set(exchange.sender, [exchange]);
  }
  const shown = report.senders.length > MOST_LANES ? MOST_LANES - 1 : report.senders.length;
  const lanes = report.senders
    .slice(0, shown)
    .map((name) => ({ name, others: 0, exchanges: bySender.get(name) ?? [] }));
  const rest = report.senders.slice(shown);
  if (rest.length) {
    lanes.push({ name: "", others: rest.length, exchanges: rest.flatMap((name) => bySender.get(name) ?? []) });
  }
  return lanes;
}

function Plot({
  report,
  lanes,
  span,
  show,
  zoom,
  slide,
}: {
  report: Report;
  lanes: Lane[];
  span: Span;
  show: (span: Span) => void;
  zoom: (factor: number, at?: number) => void;
  slide: (part: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const labels = width >= 700 ? 230 : 0;
  const plot = Math.max(width - labels, 1);
  const [brush, setBrush] = useState<{ from: number; to: number } | null>(null);
  const lane = labels ? LANE : LANE + 14;
  const height = lanes.length * lane + AXIS;
  const timeAt = (x: number) => span.from + ((x - labels) / plot) * (span.to - span.from);
  const xAt = (time: number) => labels + ((time - span.from) / (span.to - span.from)) * plot;

  const begin = (event: PointerEvent) => {
    if (event.button !== 0 || event.offsetX < labels) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    setBrush({ from: event.offsetX, to: event.offsetX });
  };
  const extend = (event: PointerEvent) => {
    if (brush) setBrush({ from: brush.from, to: Math.min(Math.max(event.offsetX, labels), width) });
  };
  const finish = (event: PointerEvent) => {
    if (!brush) return;
    setBrush(null);
    const [from, to] = [Math.min(brush.from, brush.to), Math.max(brush.from, brush.to)];
    if (to - from > 4) show({ from: timeAt(from), to: timeAt(to) });
    else openAt(event.offsetX, event.offsetY);
  };
  const openAt = (x: number, y: number) => {
    const hit = lanes[Math.floor(y / lane)];
    if (!hit || hit.others) return;
    const near = (4 / plot) * (span.to - span.from);
    const time = timeAt(x);
    if (!hit.exchanges.some((exchange) => Math.abs(exchange.time - time) <= near)) return;
    go({ view: "exchanges", filter: { sender: hit.name, from: round(time - near), to: round(time + near) } });
  };
  const key = (event: KeyboardEvent) => {
    const act = {
      "+": () => zoom(1 / STEP),
      "=": () => zoom(1 / STEP),
      "-": () => zoom(STEP),
      ArrowLeft: () => slide(-0.2),
      ArrowRight: () => slide(0.2),
      "0": () => show({ from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const latestZoom = useRef(zoom);
  latestZoom.current = zoom;
  const latestTime = useRef(timeAt);
  latestTime.current = timeAt;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    // The wheel scrolls the page; with the control key it zooms, as it does everywhere.
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      latestZoom.current(event.deltaY < 0 ? 1 / STEP : STEP, latestTime.current(event.offsetX));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  return (
    <div
      class="timeline"
      ref={box}
      role="group"
      aria-label="Exchanges over time. Keys: plus and minus zoom, arrows slide, 0 shows all."
      tabIndex={0}
      onKeyDown={key}
    >
      {width > 0 && (
        <svg
          width={width}
          height={height}
          aria-hidden="true"
          onPointerDown={begin}
          onPointerMove={extend}
          onPointerUp={finish}
          onPointerCancel={() => setBrush(null)}
        >
          <Axis span={span} origin={report.begin} x0={labels} width={plot} y={lanes.length * lane} />
          {lanes.map((one, place) => (
            <LaneView
              key={one.name}
              lane={one}
              colour={one.others ? "var(--series-other)" : colourOf(report, one.name)}
              y={place * lane}
              height={lane}
              labels={labels}
              marks={marksOf(one.exchanges, span, xAt, lane - (labels ? 8 : 20))}
              width={width}
            />
          ))}
          {brush && (
            <rect
              class="brush"
              x={Math.min(brush.from, brush.to)}
              y={0}
              width={Math.abs(brush.to - brush.from)}
              height={lanes.length * lane}
            />
          )}
        </svg>
      )}
    </div>
  );
}

interface Mark {
  x: number;
  height: number;
}

/** Marks of a lane: the height grows with the logarithm of the number of exchanges in a mark's place. */
function marksOf(exchanges: Exchange[], span: Span, xAt: (time: number) => number, room: number): Mark[] {
  const bins = new Map<number, number>();
  for (const exchange of exchanges) {
    if (exchange.time < span.from || exchange.time > span.to) continue;
    const bin = Math.floor(xAt(exchange.time) / BIN);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  const most = Math.log2(1 + Math.max(7, ...bins.values()));
  return [...bins].map(([bin, number]) => ({
    x: bin * BIN,
    height: Math.max(7, (room * Math.log2(1 + number)) / most),
  }));
}

function LaneView({
  lane,
  colour,
  y,
  height,
  labels,
  marks,
  width,
}: {
  lane: Lane;
  colour: string;
  y: number;
  height: number;
  labels: number;
  marks: Mark[];
  width: number;
}) {
  const foot = y + height - 2;
  const d = marks
    .map((mark) => `M${mark.x} ${foot.toFixed(1)}v${(-mark.height).toFixed(1)}h${BIN - 0.6}V${foot}z`)
    .join("");
  const name = lane.others ? plural(lane.others, "other") : oneLine(lane.name);
  const most = labels ? 30 : 44;
  const text = name.length > most ? `…${name.slice(1 - most)}` : name;
  return (
    <g>
      <line class="lane" x1={labels} x2={width} y1={foot + 0.5} y2={foot + 0.5} />
      <text
        class="lane-name"
        x={labels ? labels - 10 : 0}
        y={labels ? foot - 5 : y + 14}
        text-anchor={labels ? "end" : "start"}
      >
        {text}
        <tspan class="faint" dx="6">
          {count(lane.exchanges.length)}
        </tspan>
      </text>
      <path d={d} fill={colour} />
    </g>
  );
}

function Axis({ span, origin, x0, width, y }: { span: Span; origin: number; x0: number; width: number; y: number }) {
  const step = niceStep((span.to - span.from) / Math.max(2, width / 110));
  const first = Math.ceil((span.from - origin) / step);
  const last = Math.floor((span.to - origin) / step);
  const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => (first + place) * step);
  return (
    <g class="axis">
      {ticks.map((tick) => {
        const x = x0 + ((tick + origin - span.from) / (span.to - span.from)) * width;
        return (
          <g key={tick}>
            <line x1={x} x2={x} y1={0} y2={y} />
            <text x={x} y={y + 15} text-anchor={x > x0 + width - 30 ? "end" : x < x0 + 20 ? "start" : "middle"}>
              {tickText(tick, step)}
            </text>
          </g>
        );
      })}
    </g>
  );
}

const STEPS = [1, 2, 5, 10];
const TIME_STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

function niceStep(least: number): number {
  if (least > 30) return TIME_STEPS.find((step) => step >= least) ?? Math.ceil(least / 86_400) * 86_400;
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least) ?? 10) * power;
}

function tickText(seconds: number, step: number): string {
  if (step >= 60) return offset(Math.round(seconds), 3600).replace(/\.\d+$/, "");
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return `${seconds.toFixed(digits)} s`;
}
