import logging
from types import SimpleNamespace

from lightning import Trainer

from anx.internal.lightning import BY_HAND, count_steps_by_hand, set_logged_step


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


def steps_by_hand(steps, by_hand):
    loop = {BY_HAND: {"total": {"ready": by_hand, "completed": by_hand}}}
    checkpoint = {"global_step": steps, "loops": {"fit_loop": loop}}
    count_steps_by_hand(checkpoint)
    return loop[BY_HAND]["total"]


def test_a_checkpoint_that_was_not_optimised_by_hand_has_its_steps_counted_so():
    assert steps_by_hand(7, by_hand=0) == {"ready": 7, "completed": 7}
    assert steps_by_hand(7, by_hand=7) == {"ready": 7, "completed": 7}


def test_the_name_of_that_count_is_lightnings():
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    assert BY_HAND in trainer.fit_loop.state_dict()


def test_a_checkpoint_without_that_count_costs_a_warning(caplog):
    count_steps_by_hand({"global_step": 7, "loops": {"fit_loop": {}}})
    assert "steps are counted from 0 again" in caplog.text
