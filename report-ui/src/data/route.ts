// The address after `#` says what is shown, so that a place in the report can be noted down and the way back works.

import { useSyncExternalStore } from "../ui/external";
import { FACETS, type Filter } from "./filter";
import type { Scope } from "./search";

export type View = "overview" | "exchanges" | "connections" | "problems";
const VIEWS: View[] = ["overview", "exchanges", "connections", "problems"];
const SCOPES: Scope[] = ["all", "url", "headers", "bodies"];

export interface Route {
  view: View;
  filter: Filter;
  /** Number of the exchange, or id of the connection, that is open. */
  open?: string;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parameters = new URLSearchParams(query);
  const filter: Filter = {};
  for (const [facet] of FACETS) filter[facet] = parameters.get(facet) ?? undefined;
  filter.q = parameters.get("q") ?? undefined;
  filter.scope = SCOPES.find((scope) => scope === parameters.get("scope"));
  filter.connection = parameters.get("connection") ?? undefined;
  filter.from = number(parameters.get("from"));
  filter.to = number(parameters.get("to"));
  return {
    view: VIEWS.find((view) => view === path) ?? "overview",
    filter,
    open: parameters.get("open") ?? undefined,
  };
}

function number(text: string | null): number | undefined {
  const value = text === null ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export function hrefOf(route: { view: View; filter?: Filter; open?: string }): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...route.filter, open: route.open })) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const query = parameters.toString();
  return `#/${route.view}${query && `?${query}`}`;
}

/** Show something else; `quietly` without a new step in the history. */
export function go(route: { view: View; filter?: Filter; open?: string }, quietly = false): void {
  const href = hrefOf(route);
  if (href === location.hash) return;
  if (quietly) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  window.dispatchEvent(new Event("hashchange"));
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  window.addEventListener("popstate", changed);
  return () => {
    window.removeEventListener("hashchange", changed);
    window.removeEventListener("popstate", changed);
  };
}

let last = { hash: "\n", route: parseRoute("") };

function current(): Route {
  if (location.hash !== last.hash) last = { hash: location.hash, route: parseRoute(location.hash) };
  return last.route;
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, current);
