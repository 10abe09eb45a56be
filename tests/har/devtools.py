"""The DevTools of headless Chromium, told over their own protocol to import a HAR.

Chromium serves the page of its DevTools to whoever debugs it. That page is opened like any other, and its network panel
is called as its button "Import HAR" calls it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from websockets.sync.client import ClientConnection, connect

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_TIMEOUT: Final = 60.0

_READY = "typeof globalThis.InspectorFrontendHost === 'object' && document.readyState === 'complete'"
_IMPORT = """
(async () => {
  const {ViewManager} = (await import('./ui/legacy/legacy.js')).ViewManager;
  await ViewManager.instance().showView('network');
  const {NetworkPanel} = (await import('./panels/network/network.js')).NetworkPanel;
  const view = NetworkPanel.instance().networkLogView;
  await view.onLoadFromFile(new File([%s], 'x.har'));
  const {NetworkLog} = (await import('./models/logs/logs.js')).NetworkLog;
  const requests = NetworkLog.instance().requests().map(request => ({
    method: request.requestMethod,
    url: request.url(),
    status: request.statusCode,
    type: request.mimeType,
  }));
  await new Promise(resolve => setTimeout(resolve, 1000));
  return {requests, summary: view.summaryToolbar().innerText};
})()
"""


class DevTools:
    """A browser of its own, whose DevTools page is open. Use as a context manager."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            browser = stack.enter_context(self._start())
            stack.callback(browser.terminate)
            self._address = f"127.0.0.1:{self._port()}"
            page = self._open("about:blank")["id"]
            panel = f"http://{self._address}/devtools/devtools_app.html?ws={self._address}/devtools/page/{page}"
            target = self._open(panel)["webSocketDebuggerUrl"]
            self._socket: ClientConnection = stack.enter_context(connect(target, max_size=None))
            self._until(lambda: self._evaluate(_READY) is True)
            self._open_things = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open_things.close()

    def import_har(self, text: str) -> dict[str, Any]:
        """What the network panel shows of a HAR: `requests` {`method`, `url`, `status`, `type`}, and its `summary`."""
        shown: dict[str, Any] = self._evaluate(_IMPORT % json.dumps(text))
        return shown

    def _start(self) -> subprocess.Popen[bytes]:
        assert CHROMIUM is not None
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        return subprocess.Popen(
            [CHROMIUM, f"--user-data-dir={self._profile}", "--remote-allow-origins=*", *options, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self._profile)},
        )

    def _port(self) -> int:
        """Chromium writes the port it took into its profile."""
        path = self._profile / "DevToolsActivePort"
        self._until(lambda: path.exists() and path.read_text().count("\n") == 1)
        return int(path.read_text().splitlines()[0])

    def _open(self, url: str) -> dict[str, Any]:
        request = urllib.request.Request(f"http://{self._address}/json/new?{url}", method="PUT")
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            target: dict[str, Any] = json.load(answer)
            return target

    def _evaluate(self, expression: str) -> Any:
        """Run JavaScript in the DevTools page; raises AssertionError with what it threw."""
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        self._socket.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": parameters}))
        answer = json.loads(self._socket.recv(_TIMEOUT)).get("result", {"result": {}})  # none while the page loads
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]["exception"].get("description")
        return answer["result"].get("value")

    @staticmethod
    def _until(ready: Any) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not ready():
            assert time.monotonic() < deadline, "the browser is not ready"
            time.sleep(0.1)
