import { useLayoutEffect } from "preact/hooks";

/** Calls `close` when Escape is pressed, from the moment on that what can be closed is shown. */
export function useEscape(close: () => void): void {
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => event.key === "Escape" && close();
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [close]);
}
