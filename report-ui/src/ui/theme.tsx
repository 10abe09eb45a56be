import { useEffect, useState } from "preact/hooks";

type Theme = "auto" | "light" | "dark";
const THEMES: Theme[] = ["auto", "light", "dark"];
const KEY = "report-theme";

/** A page from disk may have no storage. */
function remembered(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === value) ?? "auto";
  } catch {
    return "auto";
  }
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // it stays for as long as the page is open
  }
}

export function ThemeChoice() {
  const [theme, setTheme] = useState(remembered);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember(theme);
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme;
  return (
    <button type="button" class="small theme" onClick={() => setTheme(next)} aria-label={`Colours: ${theme}`}>
      {{ auto: "◐", light: "○", dark: "●" }[theme]}
      <span class="name"> {{ auto: "Auto", light: "Light", dark: "Dark" }[theme]}</span>
    </button>
  );
}
