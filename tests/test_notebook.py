"""The notebooks run, as whoever opens them runs them."""

import os
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
# What is asked for less of here, and what a notebook has said when it is through.
NOTEBOOKS = {
    "quickstart": ({"EPISODES = 50": "EPISODES = 3"}, "steps, return"),
    "ablation": (
        {
            "EPISODES = 50": "EPISODES = 3",
            "(0, 1)": "(0,)",
            "env.max_steps=200": "env.max_steps=20",
            '("anx:cartpole")': '("anx:cartpole", "env.max_steps=50")',
        },
        "no memory, seed 0 |",
    ),
}
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def read(name):
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(DOCS / f"{name}.ipynb", as_version=4)


@each_notebook
def test_its_outputs_are_of_a_whole_execution_in_order(name):
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        out for cell in cells for out in cell.outputs if out.output_type == "error" or out.get("name") == "stderr"
    ]
    assert any("image/png" in out.get("data", {}) for cell in cells for out in cell.outputs)


@pytest.mark.exhaustive
@each_notebook
def test_every_cell_runs(name, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")]))
    notebook, (less, said) = read(name), NOTEBOOKS[name]
    for old, new in less.items():
        assert any(old in cell.source for cell in notebook.cells)
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(DOCS)}}).execute()
    assert said in str([cell.get("outputs") for cell in notebook.cells])
