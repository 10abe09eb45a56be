// Who talks to whom: from the code that sends to the company or host that receives.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { colourOf, type Report } from "../data/report";
import { hrefOf } from "../data/route";
import { bytes, count, oneLine, plural } from "../format/text";
import { Choice, Data, Section, Swatch } from "../ui/basics";
import { type Band, type Flow, layOut, type Node } from "./sankey";

type Weight = "exchanges" | "bytes";
type Recipient = "recipient" | "host";

const MOST_NODES = 14;
const NODE_WIDTH = 10;
const ROOM_FOR_LABELS = 700;
const CHARACTER = 7.2;

export function Flows({ report }: { report: Report }) {
  const [weight, setWeight] = useState<Weight>("exchanges");
  const [to, setTo] = useState<Recipient>(report.hasCompanies ? "recipient" : "host");
  const flows = useMemo(() => flowsOf(report, weight, to), [report, weight, to]);
  if (!flows.length) return null;
  return (
    <Section
      title="Who talks to whom"
      note={
        report.hasCode
          ? "Code of the app on the left, whom it talks to on the right."
          : "Clients on the left, hosts on the right."
      }
      actions={
        <>
          <Choice
            label="Width of the bands"
            options={[
              ["exchanges", "Exchanges"],
              ["bytes", "Bytes"],
            ]}
            value={weight}
            onChoose={setWeight}
          />
          {report.hasCompanies && (
            <Choice
              label="On the right"
              options={[
                ["recipient", "Companies"],
                ["host", "Hosts"],
              ]}
              value={to}
              onChoose={setTo}
            />
          )}
        </>
      }
    >
      <Diagram report={report} flows={flows} to={to} />
      <FlowTable report={report} flows={flows} to={to} />
    </Section>
  );
}

function flowsOf(report: Report, weight: Weight, to: Recipient): Flow[] {
  const flows = new Map<string, Flow>();
  for (const exchange of report.exchanges) {
    const key = `${exchange.sender}\n${exchange[to]}`;
    let flow = flows.get(key);
    if (!flow) flows.set(key, (flow = { from: exchange.sender, to: exchange[to], weight: 0, exchanges: 0, bytes: 0 }));
    flow.exchanges++;
    flow.bytes += exchange.sent + exchange.received;
    flow.weight = flow[weight];
  }
  return [...flows.values()].sort((a, b) => b.weight - a.weight);
}

function Diagram({ report, flows, to }: { report: Report; flows: Flow[]; to: Recipient }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const layout = useMemo(() => layOut(flows, MOST_NODES), [flows]);
  const labels = width >= ROOM_FOR_LABELS ? Math.min(width * 0.3, 290) : 0;
  const x0 = labels + NODE_WIDTH;
  const x1 = width - labels - NODE_WIDTH;
  const most = Math.floor((labels || width * 0.46) / CHARACTER) - 2;
  const colour = (node: Node) => (node.others ? "var(--series-other)" : colourOf(report, node.name));
  return (
    <div class="flows" ref={box}>
      {width > 0 && (
        <svg
          width={width}
          height={layout.height + 8}
          viewBox={`0 -4 ${width} ${layout.height + 8}`}
          aria-label="Who talks to whom; the table below says the same"
        >
          <g class="bands">
            {layout.bands.map((band) => (
              <BandLink
                key={`${band.from.name}\n${band.to.name}`}
                band={band}
                to={to}
                x0={x0}
                x1={x1}
                colour={colour(band.from)}
              />
            ))}
          </g>
          {layout.left.map((node) => (
            <NodeLink
              key={node.name}
              node={node}
              href={node.others ? undefined : hrefOf({ view: "exchanges", filter: { sender: node.name } })}
              x={labels}
              textX={labels ? labels - 8 : NODE_WIDTH + 6}
              anchor={labels ? "end" : "start"}
              colour={colour(node)}
              most={most}
            />
          ))}
          {layout.right.map((node) => (
            <NodeLink
              key={node.name}
              node={node}
              href={node.others ? undefined : hrefOf({ view: "exchanges", filter: { [to]: node.name } })}
              x={x1}
              textX={labels ? x1 + NODE_WIDTH + 8 : width - NODE_WIDTH - 6}
              anchor={labels ? "start" : "end"}
              colour="var(--node)"
              most={most}
            />
          ))}
        </svg>
      )}
    </div>
  );
}

const nameOf = (node: Node): string => (node.others ? plural(node.others, "other") : node.name);

const shortened = (text: string, most: number): string => {
  if (text.length <= most) return text;
  // Packages and hosts differ at either end: the middle goes.
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
};

function BandLink({ band, to, x0, x1, colour }: { band: Band; to: Recipient; x0: number; x1: number; colour: string }) {
  const middle = (x0 + x1) / 2;
  const d = `M${x0} ${band.y0}C${middle} ${band.y0} ${middle} ${band.y1} ${x1} ${band.y1}`;
  const path = (
    <path class="band" d={d} stroke={colour} stroke-width={band.height}>
      <title>
        {`${oneLine(nameOf(band.from))} → ${oneLine(nameOf(band.to))}: ${plural(band.exchanges, "exchange")}, ${bytes(band.bytes)}`}
      </title>
    </path>
  );
  if (band.from.others || band.to.others) return path;
  return (
    <a
      href={hrefOf({ view: "exchanges", filter: { sender: band.from.name, [to]: band.to.name } })}
      tabindex={-1}
      aria-hidden="true"
    >
      {path}
    </a>
  );
}

function NodeLink({
  node,
  href,
  x,
  textX,
  anchor,
  colour,
  most,
}: {
  node: Node;
  href: string | undefined;
  x: number;
  textX: number;
  anchor: "start" | "end";
  colour: string;
  most: number;
}) {
  const name = oneLine(nameOf(node));
  const content = (
    <>
      <title>{name}</title>
      <rect x={x} y={node.y} width={NODE_WIDTH} height={node.height} rx={2} fill={colour} />
      <text x={textX} y={node.y + node.height / 2} dy="0.34em" text-anchor={anchor}>
        {shortened(name, most)}
      </text>
    </>
  );
  return href ? (
    <a class="node" href={href} aria-label={`Exchanges of ${name}`}>
      {content}
    </a>
  ) : (
    <g class="node">{content}</g>
  );
}

export function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (!element.current) return;
    const measure = () => element.current && setWidth(element.current.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

const ROWS_AT_FIRST = 200;

function FlowTable({ report, flows, to }: { report: Report; flows: Flow[]; to: Recipient }) {
  return (
    <details class="as-table">
      <summary>As a table</summary>
      <table class="plain-table">
        <thead>
          <tr>
            <th scope="col">{report.hasCode ? "Code" : "Client"}</th>
            <th scope="col">{to === "host" ? "Host" : "Company or host"}</th>
            <th scope="col" class="end">
              Exchanges
            </th>
            <th scope="col" class="end">
              Bytes
            </th>
          </tr>
        </thead>
        <tbody>
          {flows.slice(0, ROWS_AT_FIRST).map((flow) => (
            <tr key={`${flow.from}\n${flow.to}`}>
              <td>
                <Swatch colour={colourOf(report, flow.from)} /> <Data value={flow.from} mono={false} />
              </td>
              <td>
                <Data value={flow.to} mono={false} />
              </td>
              <td class="end">
                <a href={hrefOf({ view: "exchanges", filter: { sender: flow.from, [to]: flow.to } })}>
                  {count(flow.exchanges)}
                </a>
              </td>
              <td class="end">{bytes(flow.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {flows.length > ROWS_AT_FIRST && <p class="muted">and {plural(flows.length - ROWS_AT_FIRST, "more pair")}</p>}
    </details>
  );
}
