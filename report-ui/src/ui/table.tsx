// A table of any length: a grid as WAI-ARIA has it, of which only the rows in sight are made.

import { Component, type ComponentChildren } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { usePrinting } from "./printing";
import { useVirtual } from "./virtual";

export interface Column<T> {
  key: string;
  title: string;
  /** A track of a CSS grid. */
  width: string;
  end?: boolean;
  sortable?: boolean;
  cell: (row: T) => ComponentChildren;
}

interface Props<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  keyOf: (row: T) => string;
  sort?: { key: string; descending: boolean };
  onSort?: (key: string) => void;
  opened: string | undefined;
  /** `key`: it was a key that opened it. */
  onOpen: (row: T, key: boolean) => void;
  /** A row where there is no room for columns. */
  narrow: (row: T) => ComponentChildren;
  empty: string;
}

const ROW = 32;
const NARROW_ROW = 58;
const HEAD = 34;
const NARROW_BELOW = 620;
const MOST_PRINTED = 3000;

export function Table<T>({ label, rows, columns, keyOf, sort, onSort, opened, onOpen, narrow, empty }: Props<T>) {
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const printing = usePrinting();
  const isNarrow = useNarrow(scroller) && !printing;
  const [active, setActive] = useState(0);
  const height = isNarrow ? NARROW_ROW : ROW;
  const virtual = useVirtual({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: isNarrow ? 0 : HEAD,
    scrollPaddingStart: isNarrow ? 0 : HEAD,
  });
  useLayoutEffect(() => virtual.measure(), [height]);
  const openedAt = opened === undefined ? -1 : rows.findIndex((row) => keyOf(row) === opened);
  useEffect(() => {
    if (openedAt < 0) return;
    setActive(openedAt);
    virtual.scrollToIndex(openedAt, { align: "auto" });
  }, [openedAt, virtual]);
  const wasOpened = useRef(opened);
  useEffect(() => {
    const closed = wasOpened.current !== undefined && opened === undefined;
    wasOpened.current = opened;
    // What had the focus is gone with what was opened: the keys go on in the table.
    if (closed && document.activeElement === document.body) scroller.current?.focus({ preventScroll: true });
  }, [opened]);
  const current = Math.min(active, rows.length - 1);

  const move = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / height) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -rows.length,
      End: rows.length,
    };
    if (event.target !== scroller.current || event.altKey || event.ctrlKey || event.metaKey) return;
    const row = rows[current];
    if ((event.key === "Enter" || event.key === " ") && row) onOpen(row, true);
    else if (event.key in steps) {
      const next = Math.max(0, Math.min(rows.length - 1, current + (steps[event.key] ?? 0)));
      setActive(next);
      virtual.scrollToIndex(next, { align: "auto" });
    } else return;
    event.preventDefault();
  };

  const latest = useRef({ rows, onOpen });
  latest.current = { rows, onOpen };
  const choose = useCallback((index: number) => {
    setActive(index);
    latest.current.onOpen(latest.current.rows[index] as T, false);
  }, []);

  const items = printing
    ? rows.slice(0, MOST_PRINTED).map((_, index) => ({ index, start: 0 }))
    : virtual.getVirtualItems().filter((item) => item.index < rows.length);
  const inSight = items.some((item) => item.index === current);
  return (
    <div
      class={`table ${isNarrow ? "narrow" : ""}`}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-colcount={isNarrow ? 1 : columns.length}
      aria-activedescendant={inSight ? `${id}-${current}` : undefined}
      tabIndex={0}
      style={{ "--columns": isNarrow ? "1fr" : columns.map((column) => column.width).join(" ") }}
      ref={scroller}
      onKeyDown={move}
    >
      <div class="thead" role="rowgroup">
        <div class="tr" role="row" aria-rowindex={1}>
          {isNarrow ? (
            <div class="visually-hidden" role="columnheader">
              {label}
            </div>
          ) : (
            columns.map((column) => <Head key={column.key} column={column} sort={sort} onSort={onSort} />)
          )}
        </div>
      </div>
      <div class="tbody" role="rowgroup" style={{ height: printing ? "auto" : `${virtual.getTotalSize()}px` }}>
        {items.map(({ index, start }) => {
          const row = rows[index] as T;
          const key = keyOf(row);
          return (
            <Row
              key={key}
              id={`${id}-${index}`}
              row={row}
              index={index}
              top={printing ? null : start - virtual.options.scrollMargin}
              height={height}
              active={index === current}
              opened={key === opened}
              columns={columns}
              narrow={isNarrow ? narrow : null}
              choose={choose}
            />
          );
        })}
      </div>
      {rows.length === 0 && <p class="empty">{empty}</p>}
      {printing && rows.length > MOST_PRINTED && (
        <p class="notice">{rows.length - MOST_PRINTED} more rows are not printed: a filter makes the list shorter.</p>
      )}
    </div>
  );
}

interface RowProps<T> {
  id: string;
  row: T;
  index: number;
  /** Where it stands, in px; null where it stands by itself. */
  top: number | null;
  height: number;
  active: boolean;
  opened: boolean;
  columns: Column<T>[];
  narrow: ((row: T) => ComponentChildren) | null;
  choose: (index: number) => void;
}

/** A row is made once: while it is scrolled through the window, nothing of it changes. */
class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>): boolean {
    const { props } = this;
    return (Object.keys(next) as (keyof RowProps<T>)[]).some((name) => next[name] !== props[name]);
  }

  override render({ id, row, index, top, height, active, opened, columns, narrow, choose }: RowProps<T>) {
    return (
      <div
        id={id}
        class={`tr ${active ? "active" : ""}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={opened}
        style={top === null ? {} : { height: `${height}px`, transform: `translateY(${top}px)` }}
        onClick={() => choose(index)}
      >
        {narrow ? (
          <div class="td card" role="gridcell">
            {narrow(row)}
          </div>
        ) : (
          columns.map((column) => (
            <div key={column.key} class={column.end ? "td end" : "td"} role="gridcell">
              {column.cell(row)}
            </div>
          ))
        )}
      </div>
    );
  }
}

function Head<T>({ column, sort, onSort }: { column: Column<T>; sort: Props<T>["sort"]; onSort: Props<T>["onSort"] }) {
  const direction = sort?.key !== column.key ? "none" : sort.descending ? "descending" : "ascending";
  return (
    <div
      class={`th ${column.end ? "end" : ""}`}
      role="columnheader"
      aria-sort={column.sortable ? direction : undefined}
    >
      {column.sortable && onSort ? (
        <button type="button" onClick={() => onSort(column.key)}>
          {column.title}
          <span class="arrow" aria-hidden="true">
            {{ none: "", ascending: "↑", descending: "↓" }[direction]}
          </span>
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

/** Whether an element has no room for columns. */
function useNarrow(element: { current: HTMLElement | null }): boolean {
  const [narrow, setNarrow] = useState(false);
  useLayoutEffect(() => {
    if (!element.current) return;
    const measure = () => element.current && setNarrow(element.current.clientWidth < NARROW_BELOW);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return narrow;
}
