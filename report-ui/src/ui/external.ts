import { useEffect, useState } from "preact/hooks";

/** A value that lives outside of the components, and tells when it changed. */
export function useSyncExternalStore<T>(subscribe: (changed: () => void) => () => void, get: () => T): T {
  const [, setValue] = useState(get);
  useEffect(() => {
    const update = () => setValue(() => get());
    update();
    return subscribe(update);
  }, [subscribe, get]);
  return get();
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = () => setMatches(list.matches);
    list.addEventListener("change", update);
    update();
    return () => list.removeEventListener("change", update);
  }, [query]);
  return matches;
}
