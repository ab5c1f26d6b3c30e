"""Open a page in a real Chromium: take a picture of it, or check its accessibility with axe-core."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from helpers.requirements import lacking

LIGHT, DARK = "1", "0"
"""Values of Blink's setting `preferredColorScheme`."""
_RUN = """
axe.run().then(found => {
  document.body.innerHTML = "";
  document.body.textContent = JSON.stringify({violations: found.violations, passes: found.passes.map(one => one.id)});
  document.body.dataset.done = "yes";
});
"""


class Browser:
    """A headless Chromium with a colour scheme."""

    def __init__(self, folder: Path, scheme: str = LIGHT) -> None:
        self._folder = folder
        program = shutil.which("chromium")
        if program is None:
            lacking("no chromium: run tests/servers/debian.sh")
        self._command = [
            *(str(program), "--headless"),
            *("--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"),
            f"--blink-settings=preferredColorScheme={scheme}",
        ]

    def _run(self, page: Path, *options: str) -> str:
        command = [*self._command, *options, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    def picture(self, page: Path, target: Path) -> None:
        """Write a screenshot of a page, as PNG."""
        self._run(page, "--window-size=1100,1500", f"--screenshot={target}")

    def pdf(self, page: Path, target: Path) -> None:
        """Print a page."""
        self._run(page, "--no-pdf-header-footer", f"--print-to-pdf={target}")

    def dom(self, page: Path) -> str:
        """Return the document after its scripts, if it has any, have run."""
        return self._run(page, "--virtual-time-budget=30000", "--dump-dom")

    def accessibility(self, page: Path) -> dict[str, Any]:
        """Return what axe-core finds: `violations`, and the IDs of the rules that the page passes."""
        spec = find_spec("axe_core_python")
        if spec is None or spec.origin is None:
            lacking("no axe-core: pip install axe-core-python")
        assert spec is not None
        assert spec.origin is not None
        axe = Path(spec.origin).with_name("axe.min.js").read_text()
        checked = self._folder / "checked.html"
        # The checker is a script, which the page itself forbids.
        text = page.read_text().replace("default-src 'none'; ", "")
        checked.write_text(text.replace("</body>", f"<script>{axe}</script><script>{_RUN}</script></body>"))
        found = self.dom(checked)
        assert 'data-done="yes"' in found, found[-2000:]
        shown = found.partition('data-done="yes">')[2].rpartition("</body>")[0]
        for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u00a0"), ("&amp;", "&")):
            shown = shown.replace(entity, character)
        answer: dict[str, Any] = json.loads(shown)
        return answer
