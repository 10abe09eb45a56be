import { useMemo } from "preact/hooks";
import { FACETS, type Facet, type Filter, facetCounts } from "../data/filter";
import type { Report } from "../data/report";
import type { Scope } from "../data/search";
import { count, offset, oneLine, plural } from "../format/text";
import { useMedia } from "../ui/external";
import { SearchField } from "../ui/search";

const LONGEST_OPTION = 60;
const MOST_OPTIONS = 500;

const SCOPES: [Scope, string][] = [
  ["all", "Everywhere"],
  ["url", "URL"],
  ["headers", "Headers"],
  ["bodies", "Bodies"],
];

interface Props {
  report: Report;
  filter: Filter;
  shown: number;
  busy: boolean;
  /** Whether there is little room. */
  folded: boolean;
  onChange: (filter: Filter) => void;
}

export function Filters({ report, filter, shown, busy, folded, onChange }: Props) {
  const isNarrow = useMedia("(max-width: 760px)") || folded;
  const facets = useMemo(
    () =>
      FACETS.map(([facet, label]) => ({ facet, label, options: facetCounts(report.exchanges, facet) })).filter(
        // What is the same for all, or for each its host again, separates nothing.
        ({ facet, options }) => options.length > 1 && (facet !== "recipient" || report.hasCompanies),
      ),
    [report],
  );
  const used = facets.filter(({ facet }) => filter[facet] !== undefined).length;
  const selects = (
    <div class="selects">
      {facets.map(({ facet, label, options }) => (
        <FacetSelect
          key={facet}
          label={facet === "sender" && !report.hasCode ? "Client" : label}
          options={options}
          value={filter[facet]}
          onChoose={(value) => onChange({ ...filter, [facet]: value })}
        />
      ))}
    </div>
  );
  return (
    <div class="filters" role="search" aria-label="Exchanges">
      <div class="search">
        <SearchField value={filter.q ?? ""} onSearch={(q) => onChange({ ...filter, q: q || undefined })} />
        <select
          aria-label="Where to search"
          value={filter.scope ?? "all"}
          onChange={(event) => onChange({ ...filter, scope: event.currentTarget.value as Scope })}
        >
          {SCOPES.map(([scope, text]) => (
            <option key={scope} value={scope}>
              {text}
            </option>
          ))}
        </select>
        <p class="count" aria-live="polite">
          {shown === report.exchanges.length
            ? plural(shown, "exchange")
            : `${count(shown)} of ${plural(report.exchanges.length, "exchange")}`}
          {busy && <span class="muted"> · searching bodies…</span>}
        </p>
      </div>
      {isNarrow ? (
        <details class="more">
          <summary>Filters{used ? ` (${used})` : ""}</summary>
          {selects}
        </details>
      ) : (
        selects
      )}
      <Chips report={report} filter={filter} onChange={onChange} />
    </div>
  );
}

function FacetSelect({
  label,
  options,
  value,
  onChoose,
}: {
  label: string;
  options: [string, number][];
  value: string | undefined;
  onChoose: (value: string | undefined) => void;
}) {
  const listed = options.slice(0, MOST_OPTIONS);
  if (value !== undefined && !listed.some(([option]) => option === value)) listed.push([value, 0]);
  const place = listed.findIndex(([option]) => option === value);
  return (
    <label class={`facet ${value === undefined ? "" : "used"}`}>
      <span>{label}</span>
      <select value={String(place)} onChange={(event) => onChoose(listed[Number(event.currentTarget.value)]?.[0])}>
        <option value="-1">any</option>
        {listed.map(([option, number], at) => (
          <option key={option} value={String(at)}>
            {oneLine(option).slice(0, LONGEST_OPTION)} ({count(number)})
          </option>
        ))}
      </select>
    </label>
  );
}

/** Filters that no field shows, and the way out of all. */
function Chips({ report, filter, onChange }: Pick<Props, "report" | "filter" | "onChange">) {
  const whole = report.end - report.begin;
  const isTimed = filter.from !== undefined || filter.to !== undefined;
  const isFiltered =
    isTimed || filter.connection || filter.q || FACETS.some(([facet]: readonly [Facet, string]) => filter[facet]);
  if (!isFiltered) return null;
  const at = (time: number) => `${offset(time - report.begin, whole)} s`;
  return (
    <p class="chips">
      {isTimed && (
        <button type="button" class="chip" onClick={() => onChange({ ...filter, from: undefined, to: undefined })}>
          {filter.from === undefined ? "until" : at(filter.from)}
          {filter.from !== undefined && (filter.to === undefined ? " and later" : " to ")}
          {filter.to !== undefined && at(filter.to)} <span aria-hidden="true">×</span>
          <span class="visually-hidden">remove this filter</span>
        </button>
      )}
      {filter.connection && (
        <button type="button" class="chip" onClick={() => onChange({ ...filter, connection: undefined })}>
          connection {oneLine(filter.connection)} <span aria-hidden="true">×</span>
          <span class="visually-hidden">remove this filter</span>
        </button>
      )}
      <button type="button" class="chip plain" onClick={() => onChange({})}>
        Show all
      </button>
    </p>
  );
}
