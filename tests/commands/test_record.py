import sys

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

import anx.commands.record
from anx.data.lessons import RecordedLessons

PONG = ("+experiment=pong", "teacher=pong", "env.max_steps=12", "slots=2")


@pytest.fixture
def record(monkeypatch, capsys):
    """Runs anx.record's command line in this process; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        code = 0
        try:
            anx.commands.record.main()
        except SystemExit as end:
            code = end.code
        return code, "".join(capsys.readouterr())

    return run


def test_a_teacher_is_recorded_and_gone_on_with(record, tmp_path):
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    code, said = record(*PONG, "episodes=1", f"output={tmp_path}")
    assert code == 0
    assert "1 more to" in said
    assert "kB a step, at most" in said
    assert record(*PONG, "episodes=2", f"output={tmp_path}")[0] == 0
    lessons = RecordedLessons(str(tmp_path), length=None)
    assert lessons.episodes["number"].tolist() == [0, 1]
    assert lessons[1].observations.shape == (12, 4, 84, 84)
    assert len(np.load(tmp_path / "actions.npy")) == 24
    code, said = record(*PONG, "episodes=3", "epsilon=0.1", f"output={tmp_path}")
    assert code == 2
    assert "was recorded with epsilon=0.0, not 0.1" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["+experiment=pong"],
            "teacher is missing; allowed: teacher=pong, teacher=pong_consistent, teacher=agent teacher.weights=PATH",
        ),
        (["+experiment=pong", "teacher=pong", "episodes=0"], "episodes=0 must be an integer, at least 1"),
        (["+experiment=pong", "teacher=pong", "epsilon=2"], "epsilon=2 must be a number from 0 to 1"),
        (["+experiment=pong", "teacher=pong", "teacher.horizon=9"], "teacher.horizon=9 must be from 1 to 6"),
        (["teacher=pong"], "is not recorded; allowed are environments that step on the CPU"),
        (["+experiment=pong", "teacher=agent", "teacher.weights=anx:cartpole"], "is an agent of other actions"),
    ],
)
def test_what_is_wrong_is_one_line(record, arguments, says):
    code, said = record(*arguments)
    assert code == 2
    assert says in said
    assert said.count("error:") == 1
