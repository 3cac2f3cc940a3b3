"""The phase that shows an executed notebook as one HTML page: nothing in it is loaded from elsewhere, and nothing in
it runs."""

import warnings
from html import escape
from typing import Any, Final

from nbformat import NotebookNode

from lodestream_server.workloads.notebooks import document
from lodestream_server.workloads.notebooks.execution import EXECUTED
from lodestream_server.workloads.phase import Json, Phase

PAGE = "notebook.html"
#: What the server says when it shows the page, in the page itself, for copies that are opened from a disk.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"


def export(phase: Phase) -> Json:
    """Writes the page of the notebook that the phase before ran."""
    before = phase.before("Notebook Execution")
    phase.progress(0, 1, "writing the page")
    notebook = document.executed(before.folder / EXECUTED)
    phase.check()
    title = f"{phase.run_name}: {before.results['notebook']}"
    path = phase.out / PAGE
    path.write_text(_page(title, _body(notebook)), encoding="utf-8", errors="replace")
    phase.artifact(
        path, name=f"{before.results['notebook']} as a page", type="Report", kind="NotebookPage", description=title
    )
    phase.progress(1, 1)
    return {"sizeBytes": path.stat().st_size}


def _body(notebook: NotebookNode) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # images without a text for those who cannot see them
        from nbconvert import HTMLExporter  # a second of loading: only where a page is written

        exporter: Any = HTMLExporter  # has no types
        body, _ = exporter(template_name="basic").from_notebook_node(notebook)
    return str(body)


def _page(title: str, body: str) -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # ships no types

    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{colours}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


_STYLE: Final = """
body { margin: 0; background: #fff; color: #1f2933; font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 1000px; margin: 32px auto; padding: 0 20px; }
h1, h2, h3 { line-height: 1.25; }
a.anchor-link { display: none; }
.cell { margin: 14px 0; }
.input, .output_area { display: flex; align-items: flex-start; gap: 10px; }
.prompt { flex: 0 0 76px; padding-top: 9px; color: #7b8794; font: 12px/1.4 ui-monospace, monospace; text-align: right; }
.inner_cell, .output_subarea { flex: 1 1 auto; min-width: 0; }
.input_area { background: #f5f7fa; border: 1px solid #dfe5ec; border-radius: 4px; }
.output_area { margin-top: 4px; }
.output_subarea { overflow-x: auto; }
.output_stderr { background: #fdf3e7; }
.output_error { background: #fdecec; }
pre { margin: 0; padding: 8px 12px; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; }
img, svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { border: 1px solid #dfe5ec; padding: 3px 9px; text-align: right; }
thead th { background: #f5f7fa; }
.ansi-red-fg, .ansi-red-intense-fg { color: #b3261e; }
.ansi-green-fg, .ansi-green-intense-fg { color: #1b7f4b; }
.ansi-blue-fg, .ansi-blue-intense-fg { color: #205eab; }
.ansi-cyan-fg, .ansi-cyan-intense-fg { color: #1d7480; }
.ansi-yellow-fg, .ansi-yellow-intense-fg { color: #8a6100; }
.ansi-bold { font-weight: 600; }
"""
