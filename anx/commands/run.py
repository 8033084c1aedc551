"""`python -m anx.run`: compose -> check -> build -> fit -> test -> report."""

import logging
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError, LostError
from anx.experiment.config.command_line import evaluation_of, given_arguments
from anx.experiment.config.messages import one_line
from anx.experiment.config.program import run_main
from anx.experiment.config.writable import check_writable, unwritable
from anx.experiment.files.trust import trust_override
from anx.experiment.folder import AGENT, claimed
from anx.experiment.identity import add_start, identify
from anx.experiment.loggers.base import of_run
from anx.experiment.loggers.run import end_loggers, log_refusal, make_loggers
from anx.experiment.prepare import Prepared, describe_device, prepare
from anx.experiment.quiet import quiet_libraries
from anx.experiment.shipping import Shipped, ship
from anx.experiment.summary import (
    Summary,
    describe_agent,
    say_how_to_go_on,
    say_results,
    summarise_run,
    write_summary,
)
from anx.files import write_whole
from anx.learners.base import Learner
from anx.progress import shown
from anx.rollout.evaluation import summarise
from anx.signals import Interrupted, interruptible
from anx.terminal import clickable

log = logging.getLogger(__name__)


def main() -> None:
    # Of several processes the first one's exit code counts; to Lightning, another's would be a crash.
    run_main(train if rank_zero_only.rank else run, "config", refused=log_refusal)  # type: ignore[attr-defined]


def train(config: DictConfig) -> Summary | None:
    """One run. Returns what its report says, or nothing where it was interrupted."""
    try:
        return run(config)
    except Interrupted:
        return None


def run(config: DictConfig) -> Summary:
    """One run. Returns what its report says.

    Raises:
        Interrupted: by SIGINT or SIGTERM. What it has computed until then is in its folder.
        LostError: the cluster is gone that it computed on. The same holds.
    """
    quiet_libraries()
    try:
        check_writable(config.run_dir)
    except ConfigError as error:
        log_refusal(str(error), config)
        raise
    with interruptible(), claimed(Path(config.run_dir)):
        try:
            prepared = prepare(config)
        except Exception as error:
            log_refusal(one_line(error), config)
            raise
        return run_prepared(config, prepared)


def run_prepared(config: DictConfig, prepared: Prepared) -> Summary:
    """Fit, test and report, and let the loggers know of it."""
    run_dir, learner, trainer = Path(config.run_dir), prepared.learner, prepared.trainer
    identity = identify(given_arguments(), config.seed, config.weights)
    announce(run_dir, config, identity, describe_device(trainer))
    trainer.loggers = loggers = make_loggers(config, identity)
    reason: str | None = "interrupted"
    try:
        shipped = fit(prepared, run_dir)
        # The test's episodes are none of the validation's, by which the agent was chosen: its score is unbiased.
        with final_evaluation(learner):
            trainer.test(learner, verbose=False)
        summary = summarise_run(config, learner, trainer.global_step, shipped)
        report(config, prepared, summary, shipped)
        reason = None
        return summary
    except (Interrupted, LostError):
        kill_other_processes(trainer)
        say_how_to_go_on(run_dir, learner.words, trainer.global_step)
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise
    finally:
        end_loggers(loggers, reason)


@rank_zero_only
def announce(run_dir: Path, config: DictConfig, identity: Mapping[str, object], device: str) -> None:
    """Write down what is run, and say where."""
    try:
        write_whole(run_dir / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
        add_start(run_dir / "identity.json", identity)
    except OSError as error:  # a full disk
        raise unwritable(run_dir, error) from None
    log.info("run folder: %s\n%s", run_dir, device)


def fit(prepared: Prepared, run_dir: Path) -> Shipped | None:
    """Train, and put the agent to ship into the learner and into its file, also where the training is cut off.

    Raises:
        Interrupted: a signal has ended the training.
    """
    learner, trainer = prepared.learner, prepared.trainer
    try:
        trainer.fit(learner, ckpt_path=prepared.checkpoint and str(prepared.checkpoint))
    finally:
        shipped = ship(learner, trainer.global_step, run_dir / AGENT)
    if learner.outcome.stopped_by:
        raise Interrupted(learner.outcome.stopped_by)
    return shipped


def final_evaluation(learner: Learner) -> AbstractContextManager[object]:
    """Shows how far the test is, in the first process alone."""
    if rank_zero_only.rank:  # type: ignore[attr-defined]
        return nullcontext()
    return shown("final evaluation", learner.test_episodes * len(learner.validations))


@rank_zero_only
def report(config: DictConfig, prepared: Prepared, summary: Summary, shipped: Shipped | None) -> None:
    """Write report.json, say where everything is, and draw report.html: what is computed is safe before it is drawn."""
    run_dir, learner = Path(config.run_dir), prepared.learner
    agent = run_dir / AGENT
    write_summary(run_dir, summary)
    say_results(learner, summary)
    if shipped:
        evaluation = evaluation_of(agent, *trust_override(config))
        which = describe_agent(shipped, learner.words)
        log.info("agent: %s, %s\nto evaluate it:\n  %s", agent, which, evaluation)
    if prepared.draw:
        log.info("report: %s", clickable(prepared.draw(run_dir)))
    results = {name: summarise(returns) for name, returns in learner.results.items()}
    for logger in of_run(prepared.trainer.loggers):
        logger.log_outcome(run_dir, results, prepared.trainer.global_step)
    log.info("all of it: %s", clickable(run_dir))


def kill_other_processes(trainer: Trainer) -> None:
    """End the other processes of a run: without this one they would wait for ever."""
    if trainer.strategy.launcher is not None:
        trainer.strategy.launcher.kill(signal.SIGKILL)
