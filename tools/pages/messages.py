"""Every message that says what a user can mend, out of the code that raises it."""

import ast
from collections.abc import Iterator
from pathlib import Path

RAISED = ("ConfigError", "ValueError")  # the constructor's of a part become ConfigErrors, with the key before them


def listed(package: Path) -> str:
    """All messages as Markdown, by the room of the code."""
    parts = []
    for room in sorted({path.relative_to(package).parts[0].removesuffix(".py") for path in package.rglob("*.py")}):
        files = [package / f"{room}.py", *sorted((package / room).rglob("*.py"))]
        found = sorted({text for path in files if path.is_file() for text in raised(path)})
        if found:
            parts.append(f"## {package.name}.{room}\n")
            parts += [f"- `{text}`" for text in found]
            parts.append("")
    return "\n".join(parts)


def raised(path: Path) -> Iterator[str]:
    """The messages of a file, what is filled in between braces."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
            text = " ".join(template(node.args[0]).replace("`", "'").split())
            if len(text.replace("{…}", "")) > 10:
                yield text


def template(node: ast.AST) -> str:
    """A text with its blanks; empty if it is put together elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{%s}" % (name(node.value) or "…")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    return ""


def name(node: ast.AST) -> str:
    """What a blank is filled with, where that is a name."""
    return {ast.Name: lambda: node.id, ast.Attribute: lambda: node.attr}.get(type(node), str)()
