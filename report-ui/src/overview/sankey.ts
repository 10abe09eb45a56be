// A diagram of two columns of nodes with bands between them: where everything goes.

export interface Flow {
  from: string;
  to: string;
  weight: number;
  exchanges: number;
  bytes: number;
}

export interface Node {
  name: string;
  /** Names that share this node, where there were too many for a node each. */
  others: number;
  weight: number;
  y: number;
  height: number;
}

export interface Band {
  from: Node;
  to: Node;
  exchanges: number;
  bytes: number;
  y0: number;
  y1: number;
  height: number;
}

export interface Layout {
  left: Node[];
  right: Node[];
  bands: Band[];
  height: number;
}

const GAP = 14;
const SHORTEST = 14;
const HEIGHT_PER_NODE = 46;
const LEAST_BAND = 1.5;

/** Lays out flows; each column has at most so many nodes, the lightest share the last one. */
export function layOut(flows: Flow[], most: number): Layout {
  const left = column(flows, (flow) => flow.from, most);
  const right = column(flows, (flow) => flow.to, most);
  untangle(flows, left, right);
  const longest = Math.max(left.nodes.length, right.nodes.length);
  const room = Math.max(longest * HEIGHT_PER_NODE - GAP * longest, 120);
  const height = Math.max(place(left.nodes, room), place(right.nodes, room));
  center(left.nodes, height);
  center(right.nodes, height);
  return { left: left.nodes, right: right.nodes, bands: bandsOf(flows, left.nodeOf, right.nodeOf), height };
}

interface Column {
  nodes: Node[];
  nodeOf: (flow: Flow) => Node;
}

function column(flows: Flow[], nameOf: (flow: Flow) => string, most: number): Column {
  const weights = new Map<string, number>();
  for (const flow of flows) weights.set(nameOf(flow), (weights.get(nameOf(flow)) ?? 0) + flow.weight);
  const ordered = [...weights].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const shown = ordered.length > most ? most - 1 : ordered.length;
  const byName = new Map<string, Node>();
  const nodes = ordered.slice(0, shown).map(([name, weight]): Node => {
    const node = { name, others: 0, weight, y: 0, height: 0 };
    byName.set(name, node);
    return node;
  });
  const rest = ordered.slice(shown);
  if (rest.length) {
    const weight = rest.reduce((sum, [, one]) => sum + one, 0);
    const node: Node = { name: "", others: rest.length, weight, y: 0, height: 0 };
    for (const [name] of rest) byName.set(name, node);
    nodes.push(node);
  }
  return { nodes, nodeOf: (flow: Flow) => byName.get(nameOf(flow)) as Node };
}

/** The right column follows the left: a node stands near to those it hears most of, so that few bands cross. */
function untangle(flows: Flow[], left: Column, right: Column): void {
  const sums = new Map<Node, number>();
  for (const flow of flows) {
    const node = right.nodeOf(flow);
    sums.set(node, (sums.get(node) ?? 0) + flow.weight * left.nodes.indexOf(left.nodeOf(flow)));
  }
  const mean = (node: Node) => (node.others ? Number.POSITIVE_INFINITY : (sums.get(node) ?? 0) / (node.weight || 1));
  right.nodes.sort((a, b) => mean(a) - mean(b) || b.weight - a.weight);
}

/** Heights in proportion to weights, but none too small to be pointed at; returns the column's height. */
function place(nodes: Node[], room: number): number {
  const whole = nodes.reduce((sum, node) => sum + node.weight, 0) || 1;
  let y = 0;
  for (const node of nodes) {
    node.height = Math.max(SHORTEST, (node.weight / whole) * room);
    node.y = y;
    y += node.height + GAP;
  }
  return y - GAP;
}

function center(nodes: Node[], height: number): void {
  const last = nodes.at(-1);
  if (!last) return;
  const shift = (height - last.y - last.height) / 2;
  for (const node of nodes) node.y += shift;
}

function bandsOf(flows: Flow[], leftOf: (flow: Flow) => Node, rightOf: (flow: Flow) => Node): Band[] {
  const bands = new Map<Node, Map<Node, Band & { weight: number }>>();
  for (const flow of flows) {
    const from = leftOf(flow);
    const to = rightOf(flow);
    let row = bands.get(from);
    if (!row) bands.set(from, (row = new Map()));
    let band = row.get(to);
    if (!band) row.set(to, (band = { from, to, exchanges: 0, bytes: 0, y0: 0, y1: 0, height: 0, weight: 0 }));
    band.weight += flow.weight;
    band.exchanges += flow.exchanges;
    band.bytes += flow.bytes;
  }
  const all = [...bands.values()].flatMap((row) => [...row.values()]);
  const share = (band: Band & { weight: number }, node: Node) =>
    (node.weight ? band.weight / node.weight : 1) * node.height;
  const used = new Map<Node, number>();
  const take = (node: Node, size: number) => {
    const at = used.get(node) ?? 0;
    used.set(node, at + size);
    return node.y + at;
  };
  for (const band of all.sort((a, b) => a.to.y - b.to.y)) {
    const size = share(band, band.from);
    band.y0 = take(band.from, size) + size / 2;
    band.height = size;
  }
  used.clear();
  for (const band of all.sort((a, b) => a.from.y - b.from.y)) {
    const size = share(band, band.to);
    band.y1 = take(band.to, size) + size / 2;
    band.height = Math.max(LEAST_BAND, Math.min(band.height, size));
  }
  return all;
}
