"""What the pages on parts of one's own show is written into a folder as it stands there, and trains."""

import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

from anx.sweep.__main__ import read_arguments

PAGES = Path(__file__).parents[1] / "docs" / "howto"
SMOKE = [
    *("+budget=smoke", "trainer.max_steps=1", "trainer.val_check_interval=1", "env.max_steps=20", "logger=csv"),
    *("++learner.validation_episodes=2", "++learner.test_episodes=2", "rollout.compile=false"),
    *("report=null", "callbacks.pictures=null"),
]
FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TRAINED = {
    "ablation": ["+ablation=small_queries"],
    "environment": ["env=gymnasium env.id=my_env:Drift-v0", "env._target_=my_world.Follow env.max_steps=100"],
    "learner": ["learner=constant optimizer=adam optimizer.lr=0.05"],
    "neuron": ["neuron._target_=my_neuron.AverageNeuron", "neuron=average neuron.hidden_size=4"],
    "policy": ["policy=gated policy.context_size=4"],
    "solver": ["optimizer=mine optimizer.sigma0=0.2"],
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes the files that a page shows into a folder, which is then where one works; returns the page."""

    def write(name):
        page = (PAGES / f"{name}.md").read_text()
        for path, text in FILE.findall(page):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
            monkeypatch.delitem(sys.modules, Path(path).stem, raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        return page

    return write


@pytest.mark.parametrize(("name", "command"), [(name, each) for name in TRAINED for each in TRAINED[name]])
def test_what_the_page_shows_trains(written, run_command, tmp_path, capsys, name, command):
    assert re.search(rf"^python -m anx.run {re.escape(command)}$", written(name), re.MULTILINE)
    assert run_command(*shlex.split(command), *SMOKE, f"hydra.run.dir={tmp_path / 'run'}") == 0
    assert (tmp_path / "run" / "agent.safetensors").is_file()
    own = "my_neuron" if name == "neuron" else "my_policy" if name == "policy" else None
    if own:  # whoever evaluates it has to say so
        assert f"agent.safetensors 'trust=[{own}]'" in "".join(capsys.readouterr())


def test_the_environment_of_the_page_passes_its_check(written):
    for code in CODE.findall(written("environment")):
        exec(code, {})


def test_the_sweep_of_the_page_is_read(written):
    (command,) = re.findall(r"^python -m anx\.sweep (sweep\.yaml .*)$", written("sweep"), re.MULTILINE)
    assert len(read_arguments(shlex.split(command)).file.parameters) == 2


def test_the_lines_of_python_run(written, tmp_path, capsys):
    shorter = {
        "episodes=100": "episodes=3",
        '"+budget=smoke"': '"+budget=smoke", "env.max_steps=20", "report=null", "logger=csv"',
    }
    first, second = CODE.findall(written("python"))
    for shown, short in shorter.items():
        assert shown in first
        first = first.replace(shown, short)
    exec(first, {})
    shape, shuffled, trained = capsys.readouterr().out.splitlines()
    assert shape == "torch.Size([5, 16])"
    assert float(shuffled) > 0
    assert Path(trained.split()[1]).relative_to(tmp_path).parts[:2] == ("runs", "cartpole")
    exec(second, {})
    assert capsys.readouterr().out == "torch.Size([8, 4]) torch.Size([8, 4])\n"


def test_the_readme_and_the_start_show_lines_of_that_page():
    shown = CODE.findall((PAGES / "python.md").read_text())[0]
    calls = set(re.findall(r"anx\.\w+\(|agent\(observation", shown))
    for page in (PAGES.parents[1] / "README.md", PAGES.parent / "index.md"):
        (code,) = [code for code in CODE.findall(page.read_text()) if "import anx" in code]
        assert set(re.findall(r"anx\.\w+\(", code)) <= calls
