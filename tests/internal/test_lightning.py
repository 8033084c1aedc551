import logging
from types import SimpleNamespace

from lightning import Trainer

from anx.internal.lightning import set_logged_step


def test_the_step_that_loggers_get_is_lightnings_own_count():
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    set_logged_step(trainer, 7)
    assert trainer.fit_loop.epoch_loop._batches_that_stepped == 7


def test_a_lightning_without_that_count_costs_a_warning(caplog):
    trainer = SimpleNamespace(fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace()))
    with caplog.at_level(logging.WARNING):
        set_logged_step(trainer, 7)
    assert "steps that a resumed run logs may be off" in caplog.text
    assert not vars(trainer.fit_loop.epoch_loop)
