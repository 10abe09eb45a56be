// The field of a search.

import { useEffect, useRef, useState } from "preact/hooks";

const TYPING_MS = 120;

/** What is typed, once nothing more is; from here, Enter and the arrow down lead to the table. */
export function SearchField({ value, onSearch }: { value: string; onSearch: (term: string) => void }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef(0);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const isWriting = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key !== "/" || isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => {
      clearTimeout(timer.current);
      document.removeEventListener("keydown", focus);
    };
  }, []);
  const search = (term: string) => {
    clearTimeout(timer.current);
    onSearch(term);
  };
  const leave = (event: KeyboardEvent) => {
    const table = field.current?.closest(".master")?.querySelector<HTMLElement>("[role=grid]");
    if ((event.key !== "Enter" && event.key !== "ArrowDown") || event.isComposing || !table) return;
    event.preventDefault();
    if (typed !== value) search(typed);
    table.focus();
  };
  return (
    <input
      type="search"
      ref={field}
      value={typed}
      placeholder="Search"
      aria-label="Search"
      title="Search (key: /)"
      spellcheck={false}
      autocomplete="off"
      onInput={(event) => {
        const term = event.currentTarget.value;
        setTyped(term);
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => onSearch(term), TYPING_MS);
      }}
      onKeyDown={leave}
    />
  );
}
