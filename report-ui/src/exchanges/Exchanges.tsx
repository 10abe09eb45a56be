import { useMemo, useRef, useState } from "preact/hooks";
import { type Filter, passes, type Sort, type SortKey, sorted } from "../data/filter";
import { colourOf, type Exchange, type Report } from "../data/report";
import { go, type Route } from "../data/route";
import { ExchangeDetail } from "../detail/ExchangeDetail";
import { bytes, duration, offset, oneLine, pathOf, plural } from "../format/text";
import { Confidence, Data, Swatch } from "../ui/basics";
import { Boundary } from "../ui/boundary";
import { type Column, Table } from "../ui/table";
import { Filters } from "./Filters";
import { useSearch } from "./useSearch";

export function Exchanges({ report, route }: { report: Report; route: Route }) {
  const { filter } = route;
  const [sort, setSort] = useState<Sort>({ key: "index", descending: false });
  const scope = filter.scope ?? "all";
  const search = useSearch(report, filter.q ?? "", scope);
  const matching = useMemo(() => {
    const inUrl = scope === "all" || scope === "url";
    const { term, hits } = search;
    return report.exchanges.filter(
      (exchange) =>
        passes(exchange, filter) &&
        (term === "" || (inUrl && exchange.needle.includes(term)) || hits.has(exchange.index)),
    );
  }, [report, filter, scope, search]);
  const rows = useMemo(() => sorted(matching, sort), [matching, sort]);
  const { columns, few, narrow } = useMemo(() => {
    const columns = columnsFor(report);
    return {
      columns,
      few: columns.filter((column) => FEW.has(column.key)),
      narrow: (exchange: Exchange) => <Card report={report} exchange={exchange} />,
    };
  }, [report]);

  const change = (next: Filter) => go({ view: "exchanges", filter: next, open: route.open }, true);
  const byKey = useRef(false);
  const open = (number: string | undefined) => go({ view: "exchanges", filter, open: number });
  const opened = route.open === undefined ? undefined : report.exchanges[Number(route.open) - 1];
  const place = opened ? rows.indexOf(opened) : -1;
  const neighbour = (step: number) => {
    const next = place < 0 ? undefined : rows[place + step];
    return next && (() => go({ view: "exchanges", filter, open: String(next.index + 1) }, true));
  };
  return (
    <main class={`split ${opened ? "opened" : ""}`} id="main" tabIndex={-1}>
      <h1 class="visually-hidden">Exchanges</h1>
      <div class="master">
        <Filters
          report={report}
          filter={filter}
          shown={rows.length}
          busy={search.busy}
          folded={opened !== undefined}
          onChange={change}
        />
        <Table
          label="Exchanges"
          rows={rows}
          columns={opened ? few : columns}
          keyOf={(exchange) => String(exchange.index + 1)}
          sort={sort}
          onSort={(key) => setSort({ key: key as SortKey, descending: sort.key === key && !sort.descending })}
          opened={opened && route.open}
          onOpen={(exchange, key) => {
            byKey.current = key;
            open(String(exchange.index + 1));
          }}
          narrow={narrow}
          empty={emptyNote(search.busy, report.exchanges.length > 0)}
        />
      </div>
      {opened && (
        <Boundary of={opened}>
          <ExchangeDetail
            report={report}
            exchange={opened}
            wantsFocus={byKey}
            onClose={() => open(undefined)}
            onPrevious={neighbour(-1)}
            onNext={neighbour(1)}
          />
        </Boundary>
      )}
    </main>
  );
}

function emptyNote(isBusy: boolean, hasAny: boolean): string {
  if (isBusy) return "Searching…";
  return hasAny ? "No exchange is like that." : "No exchange was found.";
}

/** Columns that stay while an exchange is open. */
const FEW = new Set(["index", "time", "sender", "method", "url", "status"]);

function columnsFor(report: Report): Column<Exchange>[] {
  const whole = report.end - report.begin;
  const columns: (Column<Exchange> | false)[] = [
    {
      key: "index",
      title: "#",
      width: "3.8em",
      end: true,
      sortable: true,
      cell: (e) => <span class="muted">{e.index + 1}</span>,
    },
    {
      key: "time",
      title: "Time, s",
      width: "6em",
      end: true,
      sortable: true,
      cell: (e) => offset(e.time - report.begin, whole),
    },
    {
      key: "sender",
      title: report.hasCode ? "Code" : "Client",
      width: "minmax(10em, 1.5fr)",
      sortable: true,
      cell: (e) => <Sender report={report} exchange={e} />,
    },
    report.hasCode && {
      key: "confidence",
      title: "Conf.",
      width: "4.9em",
      sortable: true,
      cell: (e) => <Confidence value={e.confidence} />,
    },
    { key: "method", title: "Method", width: "4.4em", sortable: true, cell: (e) => <Data value={e.method} /> },
    {
      key: "url",
      title: "Host and path",
      width: "minmax(12em, 2.6fr)",
      sortable: true,
      cell: (e) => <Address exchange={e} />,
    },
    { key: "status", title: "Status", width: "3.9em", sortable: true, cell: (e) => <Status exchange={e} /> },
    {
      key: "type",
      title: "Type",
      width: "minmax(4.6em, 0.7fr)",
      sortable: true,
      cell: (e) => <Data value={shortType(e.type)} mono={false} />,
    },
    { key: "size", title: "Size", width: "4.4em", end: true, sortable: true, cell: (e) => bytes(e.sent + e.received) },
    {
      key: "duration",
      title: "Duration",
      width: "4.9em",
      end: true,
      sortable: true,
      cell: (e) => duration(e.duration),
    },
    { key: "marks", title: "Notes", width: "10em", cell: (e) => <Marks exchange={e} /> },
  ];
  return columns.filter((column) => column !== false);
}

function Sender({ report, exchange }: { report: Report; exchange: Exchange }) {
  return (
    <span class="sender" title={oneLine(exchange.code || exchange.sender)}>
      <Swatch colour={colourOf(report, exchange.sender)} />
      <Data value={tail(exchange.sender)} mono={false} />
    </span>
  );
}

const LONGEST_SENDER = 23;

/** Packages differ at their ends. */
const tail = (name: string): string => (name.length > LONGEST_SENDER ? `…${name.slice(1 - LONGEST_SENDER)}` : name);

function Address({ exchange }: { exchange: Exchange }) {
  return (
    <span class="address" title={oneLine(exchange.url)}>
      <Data value={exchange.host} mono={false} />
      <span class="path">
        <Data value={pathOf(exchange.url)} mono={false} />
      </span>
    </span>
  );
}

export function Status({ exchange }: { exchange: Exchange }) {
  if (!exchange.status) return <span class="status none">none</span>;
  return <span class={`status s${Math.floor(exchange.status / 100)}`}>{exchange.status}</span>;
}

/** The part of a type that tells it from others. */
const shortType = (type: string): string => type.replace(/^(application|text)\/(x-|vnd\.)?/, "");

/** What is worth a look, in a word each. */
export function Marks({ exchange }: { exchange: Exchange }) {
  const found = new Set(exchange.findings.map((finding) => finding.identifier)).size;
  return (
    <span class="marks">
      {found > 0 && (
        <span class="mark found" title={plural(found, "identifier")}>
          {plural(found, "ID")}
        </span>
      )}
      {exchange.decrypted > 0 && (
        <span class="mark" title="A body was decrypted by the cipher log">
          decrypted
        </span>
      )}
      {exchange.messages > 0 && <span class="mark">{plural(exchange.messages, "message")}</span>}
      {exchange.incomplete && <span class="mark warn">incomplete</span>}
    </span>
  );
}

function Card({ report, exchange }: { report: Report; exchange: Exchange }) {
  return (
    <>
      <div class="line">
        <Data value={exchange.method} />
        <Address exchange={exchange} />
        <Status exchange={exchange} />
      </div>
      <div class="line second">
        <span class="muted">{exchange.index + 1}</span>
        <Sender report={report} exchange={exchange} />
        <Marks exchange={exchange} />
      </div>
    </>
  );
}
