import { render } from "preact";
import { useEffect } from "preact/hooks";
import { Connections } from "./connections/Connections";
import { makeReport, type Report } from "./data/report";
import { hrefOf, useRoute, type View } from "./data/route";
import { openIndex } from "./data/store";
import { Exchanges } from "./exchanges/Exchanges";
import { oneLine } from "./format/text";
import { Overview } from "./overview/Overview";
import { Problems } from "./problems/Problems";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/overview.css";
import "./styles/table.css";
import "./styles/detail.css";
import "./styles/print.css";
import { Boundary } from "./ui/boundary";
import { ThemeChoice } from "./ui/theme";

const VIEWS: [View, string][] = [
  ["overview", "Overview"],
  ["exchanges", "Exchanges"],
  ["connections", "Connections"],
  ["problems", "Problems"],
];

function App({ report }: { report: Report }) {
  const route = useRoute();
  const label = VIEWS.find(([view]) => view === route.view)?.[1];
  useEffect(() => {
    document.title = `${oneLine(report.index.title)}: ${label}`;
  }, [report, label]);
  useEffect(() => scrollTo(0, 0), [route.view]);
  return (
    <div class={`app ${route.view === "exchanges" || route.view === "connections" ? "full" : ""}`}>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        To the content
      </a>
      <header class="top">
        <nav aria-label="Views">
          {VIEWS.map(([view, text]) => (
            <a key={view} href={hrefOf({ view })} aria-current={view === route.view ? "page" : undefined}>
              {text}
            </a>
          ))}
        </nav>
        <span class="title">
          <bdi>{oneLine(report.index.title)}</bdi>
        </span>
        <ThemeChoice />
      </header>
      <Boundary of={route}>
        <Shown report={report} />
      </Boundary>
    </div>
  );
}

function Shown({ report }: { report: Report }) {
  const route = useRoute();
  switch (route.view) {
    case "overview":
      return <Overview report={report} />;
    case "exchanges":
      return <Exchanges report={report} route={route} />;
    case "connections":
      return <Connections report={report} route={route} />;
    case "problems":
      return <Problems />;
  }
}

function begin(): void {
  const place = document.getElementById("app");
  if (!place) return;
  openIndex().then(
    (index) => render(<App report={makeReport(index)} />, place),
    (error) => {
      place.textContent = `This report cannot be opened: ${error}. A newer browser may be needed.`;
    },
  );
}

begin();
