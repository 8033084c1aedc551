"""The newest state of a run is on disk, and a user's own checkpoints work beside it."""

from types import SimpleNamespace

import pytest
from conftest import compose

from anx.commands.run import train
from anx.experiment.callbacks import last
from anx.experiment.callbacks.last import Last
from anx.experiment.files.weights import read_checkpoint

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]


@pytest.fixture
def saved(monkeypatch):
    """The generations after which the newest state was saved, with a clock that ticks a second a look."""
    steps, save = [], Last._save
    seconds = iter(range(10_000))
    monkeypatch.setattr(last, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(Last, "_save", lambda self, trainer: (steps.append(trainer.global_step), save(self, trainer)))
    return steps


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (0, [1, 2, 3, 4, 5, 5]),  # a validation follows on generations 2 and 4: saved after it, and not before
        (3, [2, 4, 5]),
        (1000, [2, 4, 5]),
    ],
)
def test_it_is_saved_by_time_after_validations_and_at_the_end(tmp_path, saved, every, steps):
    train(compose(*SMALL, "trainer.max_steps=5", f"callbacks.last.every={every}", f"run_dir={tmp_path}"))
    assert saved == steps
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 5


def test_a_negative_time_is_refused_by_its_key(tmp_path):
    with pytest.raises(Exception, match=r"callbacks\.last\.every=-1 must be at least 0"):
        train(compose(*SMALL, "callbacks.last.every=-1", f"run_dir={tmp_path}"))


def test_lightnings_own_checkpoints_count_generations_too(tmp_path, recwarn):
    own = f"{{_target_: lightning.pytorch.callbacks.ModelCheckpoint, dirpath: '{tmp_path / 'own'}', save_top_k: -1"
    own += ", every_n_train_steps: 2, filename: '{step}'}"
    train(compose(*SMALL, f"+callbacks.own={own}", f"run_dir={tmp_path}"))
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["step=2.ckpt", "step=4.ckpt"]
    assert read_checkpoint(tmp_path / "own" / "step=2.ckpt")["global_step"] == 2
    assert not [each for each in recwarn if "manual optimization" in str(each.message)]
