import importlib.util
import re
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx
import anx.commands.export

ROOT = Path(__file__).parents[2]


@pytest.fixture
def export(monkeypatch, capsys):
    """Runs anx.export's command line in this process; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        code = 0
        try:
            anx.commands.export.main()
        except SystemExit as end:
            code = end.code
        return code, "".join(capsys.readouterr())

    return run


def test_an_agent_that_ships_is_put_into_a_page(export, tmp_path):
    path = tmp_path / "page.html"
    code, said = export("weights=anx:cartpole", f"output={path}", "perturbations=[shuffle]", "seed=3")
    assert code == 0
    assert f"written to {path}" in said
    html = path.read_text()
    assert '"weights": "anx:cartpole"' in html
    assert '"shuffle": true' in html
    assert '"seed": 3' in html


def test_an_agent_is_written_as_onnx_and_compared_and_the_documents_loop_runs_it(export, tmp_path, monkeypatch, capsys):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs pip install 'anx[export]' onnxruntime")
    path = tmp_path / "agent.onnx"
    code, said = export("weights=anx:cartpole", f"output={path}", "check=20")
    assert code == 0
    assert "kB, 64 bits: any number of sensory inputs\n" in said
    assert "onnxruntime gives what the agent gives to 1e-05 in 100% of 20 steps" in said
    assert "node" not in said  # of what torch says on the way
    monkeypatch.chdir(tmp_path)
    (loop,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    exec(loop, {})
    first, agent = capsys.readouterr().out.splitlines()[0], anx.load("anx:cartpole")
    assert float(first.strip("[]")) == pytest.approx(float(agent([0.5, 0.0, -1.0, 0.0, 0.0])[0][0]), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["output=agent.bin"], "output=agent.bin must end in .onnx or .html"),
        (["output=page.html", "precision=32"], "precision=32 is of .onnx, not of page.html"),
        (["output=page.html", "split=false"], "split=false is of .onnx, not of page.html"),
        (["output=a.onnx", "precision=16"], "precision=16 must be 32, 64 or null"),
        (["output=a.onnx", "split=1"], "split=1 must be true or false"),
        (["output=a.onnx", "check=-1"], "check=-1 must be an integer, at least 0"),
        (["output=a.onnx", "perturbations=[shuffle]"], "perturbations=[shuffle] befall a page's agent, not a.onnx"),
        (["output=page.html", "policy=shared_readout"], "policy=shared_readout can't be put into a page; allowed"),
    ],
)
def test_what_is_wrong_is_one_line(export, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, said = export("+experiment=cartpole", "weights=anx:cartpole", *arguments)
    assert code == 2
    assert said.count("\n") == 1
    assert says in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="onnxscript is there")
def test_without_the_libraries_it_says_how_to_get_them(export, tmp_path):
    code, said = export("weights=anx:cartpole", f"output={tmp_path / 'agent.onnx'}")
    assert code == 2
    assert "pip install 'anx[export]'" in said
