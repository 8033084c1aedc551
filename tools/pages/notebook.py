"""A notebook as a page: its texts, its code and what that printed and drew."""

import base64
import json
from pathlib import Path
from typing import Any


def page(path: Path) -> tuple[str, dict[str, bytes]]:
    """The notebook's text as Markdown, and its pictures by the names that it uses, beside it."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}_{len(pictures)}.png"
                pictures[name] = base64.b64decode("".join(data["image/png"]))
                parts.append(f"![What the code above draws]({name})")
            elif text := printed(output):
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts), pictures


def printed(output: dict[str, Any]) -> str:
    """What an output says in text."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "")).rstrip()
