"""axe-core, which finds what keeps people from reading a page; FILE is None where there is none.

The variable AXE_CORE names its file axe.min.js, as `npm pack axe-core` has it; or it is in node_modules.
"""

from __future__ import annotations

import os
from pathlib import Path

PLACES = [Path(os.environ.get("AXE_CORE", "axe.min.js")),
          *(folder / "node_modules/axe-core/axe.min.js" for folder in Path(__file__).resolve().parents)]
FILE = next((path for path in PLACES if path.is_file()), None)


def violations(page) -> list[str]:
    """What axe-core finds wrong in a page that is open: rule, place, and what it says; colours of all text count."""
    if not page.run("'axe' in window"):
        page.run(FILE.read_text("utf-8") + "; 0")
    return page.run("""axe.run(document, { resultTypes: ["violations"] }).then(found => found.violations.flatMap(rule =>
        rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))""")
