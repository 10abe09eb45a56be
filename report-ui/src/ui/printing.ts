import { options } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Whether the page is being printed: then all rows are to be there, not only those in sight. */
export function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const set = (value: boolean) => () => {
      // The browser takes what is there when the handlers have run: it does not wait for the next frame.
      const later = options.debounceRendering;
      options.debounceRendering = (render) => render();
      setPrinting(value);
      options.debounceRendering = later;
    };
    const before = set(true);
    const after = set(false);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);
  return printing;
}
