import { useEffect, useMemo, useState } from "preact/hooks";
import type { Report } from "../data/report";
import { type Scope, Searcher } from "../data/search";

/** Time between two looks at what was found so far. */
const SHOWN_EVERY_MS = 80;

interface Search {
  term: string;
  /** Exchanges with the term in headers or bodies. */
  hits: ReadonlySet<number>;
  busy: boolean;
}

const NOTHING: Search = { term: "", hits: new Set(), busy: false };

/** What a term finds beyond the URLs: grows while the search goes on. */
export function useSearch(report: Report, asked: string, scope: Scope): Search {
  const searcher = useMemo(() => new Searcher(report), [report]);
  const [search, setSearch] = useState(NOTHING);
  const term = asked.trim().toLowerCase();
  const wanted = term !== "" && scope !== "url";
  useEffect(() => {
    setSearch({ term, hits: new Set(), busy: wanted });
    if (!wanted) return;
    const abort = new AbortController();
    const hits = new Set<number>();
    let shown = performance.now();
    const show = (busy: boolean) => !abort.signal.aborted && setSearch({ term, hits: new Set(hits), busy });
    const found = (indices: number[]) => {
      for (const index of indices) hits.add(index);
      if (performance.now() - shown < SHOWN_EVERY_MS) return;
      shown = performance.now();
      show(true);
    };
    searcher.find(term, scope, found, abort.signal).then(() => show(false));
    return () => abort.abort();
  }, [searcher, term, scope, wanted]);
  // Until the effect has run, the state is still that of the term before.
  return search.term === term ? search : { term, hits: NOTHING.hits, busy: wanted };
}
