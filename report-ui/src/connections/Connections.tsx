import { useMemo, useRef, useState } from "preact/hooks";
import { isUnread, type Report } from "../data/report";
import { go, type Route } from "../data/route";
import { openJson } from "../data/store";
import type { ConnectionRow, DnsLookup } from "../data/types";
import { bytes, count, duration, offset, oneLine, plural } from "../format/text";
import { Choice, Data } from "../ui/basics";
import { Boundary } from "../ui/boundary";
import { useLoaded } from "../ui/loading";
import { SearchField } from "../ui/search";
import { type Column, Table } from "../ui/table";
import { ConnectionDetail } from "./ConnectionDetail";
import { Lookups } from "./Lookups";

type Shown = "all" | "unread" | "names";
type Key =
  | "id"
  | "time"
  | "host"
  | "application"
  | "secured"
  | "decrypted"
  | "reason"
  | "exchanges"
  | "sent"
  | "received"
  | "duration";

export function Connections({ report, route }: { report: Report; route: Route }) {
  const { q = "", decrypted } = route.filter;
  const [sort, setSort] = useState<{ key: Key; descending: boolean }>({ key: "time", descending: false });
  const [names, setNames] = useState(false);
  const lookups = useLoaded(() => openJson<DnsLookup[]>("dns"), []);
  const hasLookups = lookups !== null && "value" in lookups && lookups.value.length > 0;
  const shown: Shown = names && hasLookups ? "names" : decrypted === "no" ? "unread" : "all";
  const rows = useMemo(() => {
    const term = q.trim().toLowerCase();
    const matching = report.connections.filter(
      (connection) => (shown !== "unread" || isUnread(connection)) && (!term || needle(connection).includes(term)),
    );
    const direction = sort.descending ? -1 : 1;
    return matching.sort((a, b) => compare(a[sort.key], b[sort.key]) * direction);
  }, [report, q, shown, sort]);
  const { columns, few } = useMemo(() => {
    const columns = columnsFor(report);
    return { columns, few: columns.filter((column) => FEW.has(column.key)) };
  }, [report]);
  const opened = route.open === undefined ? undefined : report.connectionById.get(route.open);
  const byKey = useRef(false);
  const open = (id: string | undefined) => go({ view: "connections", filter: route.filter, open: id });
  const choose = (next: Shown) => {
    setNames(next === "names");
    go({ view: "connections", filter: { q: q || undefined, decrypted: next === "unread" ? "no" : undefined } }, true);
  };
  const options: [Shown, string][] = [
    ["all", "All"],
    ["unread", "Not decrypted"],
  ];
  if (hasLookups) options.push(["names", "Names (DNS)"]);
  return (
    <main class={`split ${opened && shown !== "names" ? "opened" : ""}`} id="main" tabIndex={-1}>
      <h1 class="visually-hidden">Connections</h1>
      <div class="master">
        <div class="filters" role="search" aria-label="Connections">
          <div class="search">
            <SearchField
              value={q}
              onSearch={(term) =>
                go({ view: "connections", filter: { ...route.filter, q: term || undefined }, open: route.open }, true)
              }
            />
            <Choice label="Which" options={options} value={shown} onChoose={choose} />
            {shown !== "names" && (
              <p class="count" aria-live="polite">
                {rows.length === report.connections.length
                  ? plural(rows.length, "connection")
                  : `${count(rows.length)} of ${plural(report.connections.length, "connection")}`}
              </p>
            )}
          </div>
        </div>
        {shown === "names" && hasLookups ? (
          <Lookups report={report} lookups={lookups.value} term={q} />
        ) : (
          <Table
            label="Connections"
            rows={rows}
            columns={opened ? few : columns}
            keyOf={(connection) => connection.id}
            sort={sort}
            onSort={(key) => setSort({ key: key as Key, descending: sort.key === key && !sort.descending })}
            opened={opened?.id}
            onOpen={(connection, key) => {
              byKey.current = key;
              open(connection.id);
            }}
            narrow={narrow}
            empty={report.connections.length ? "No connection is like that." : "No connection is listed."}
          />
        )}
      </div>
      {opened && shown !== "names" && (
        <Boundary of={opened}>
          <ConnectionDetail report={report} row={opened} wantsFocus={byKey} onClose={() => open(undefined)} />
        </Boundary>
      )}
    </main>
  );
}

const needle = (connection: ConnectionRow): string =>
  `${connection.host} ${connection.server} ${connection.client} ${connection.application} ${connection.protocol} ${connection.secured} ${connection.reason} ${connection.sdk?.name ?? ""} ${connection.sdk?.company ?? ""}`.toLowerCase();

const compare = (a: string | number, b: string | number): number =>
  typeof a === "string" && typeof b === "string" ? a.localeCompare(b, "en", { numeric: true }) : Number(a) - Number(b);

const FEW = new Set(["id", "host", "application", "decrypted", "exchanges"]);

function columnsFor(report: Report): Column<ConnectionRow>[] {
  const whole = report.end - report.begin;
  return [
    {
      key: "id",
      title: "Id",
      width: "3.6em",
      end: true,
      sortable: true,
      cell: (c) => <span class="muted">{oneLine(c.id)}</span>,
    },
    {
      key: "time",
      title: "Time, s",
      width: "6em",
      end: true,
      sortable: true,
      cell: (c) => offset(c.time - report.begin, whole),
    },
    {
      key: "host",
      title: "Host",
      width: "minmax(12em, 2.4fr)",
      sortable: true,
      cell: (c) => (
        <span class="address" title={oneLine(c.server)}>
          <Data value={c.host} mono={false} />
          {c.sdk && <span class="path">{oneLine(c.sdk.company || c.sdk.name)}</span>}
        </span>
      ),
    },
    {
      key: "application",
      title: "Protocol",
      width: "5.6em",
      sortable: true,
      cell: (c) => oneLine(c.application || c.protocol),
    },
    { key: "secured", title: "Secured by", width: "6em", sortable: true, cell: (c) => oneLine(c.secured || "–") },
    { key: "decrypted", title: "Read", width: "5.4em", sortable: true, cell: (c) => <Read connection={c} /> },
    { key: "reason", title: "Why", width: "minmax(6em, 1.9fr)", sortable: true, cell: (c) => oneLine(c.reason) },
    {
      key: "exchanges",
      title: "Exchanges",
      width: "6.4em",
      end: true,
      sortable: true,
      cell: (c) => count(c.exchanges),
    },
    { key: "sent", title: "Sent", width: "5em", end: true, sortable: true, cell: (c) => bytes(c.sent) },
    { key: "received", title: "Received", width: "5.8em", end: true, sortable: true, cell: (c) => bytes(c.received) },
    { key: "duration", title: "Duration", width: "6em", end: true, sortable: true, cell: (c) => duration(c.duration) },
  ];
}

const READ = new Map([
  ["yes", ["s2", "yes"]],
  ["partly", ["s3", "in part"]],
  ["no", ["s4", "no"]],
]);

export function Read({ connection }: { connection: ConnectionRow }) {
  const [kind, text] = READ.get(connection.decrypted) ?? ["none", "clear"];
  return <span class={`status ${kind}`}>{text}</span>;
}

const narrow = (connection: ConnectionRow) => <Card connection={connection} />;

function Card({ connection }: { connection: ConnectionRow }) {
  return (
    <>
      <div class="line">
        <span class="address">
          <Data value={connection.host} mono={false} />
        </span>
        <Read connection={connection} />
      </div>
      <div class="line second">
        <span class="muted">{oneLine(connection.id)}</span>
        <span class="why">
          {oneLine(connection.application || connection.protocol)}
          {connection.reason && ` · ${oneLine(connection.reason)}`}
        </span>
        {connection.exchanges > 0 && <span class="muted">{plural(connection.exchanges, "exchange")}</span>}
      </div>
    </>
  );
}
