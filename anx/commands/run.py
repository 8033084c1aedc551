"""`python -m anx.run`: compose -> check -> build -> fit -> test."""

import json
import logging
import signal
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.callbacks.best import Best
from anx.experiment.callbacks.interruption import Interruption
from anx.experiment.check import check_writable, unwritable
from anx.experiment.command_line import command_line, evaluation_of, given_arguments, override, without
from anx.experiment.folder import LAST, claimed
from anx.experiment.identity import add_start, identify
from anx.experiment.messages import one_line
from anx.experiment.prepare import Prepared, describe_device, prepare
from anx.experiment.program import run_main
from anx.experiment.quiet import quiet_libraries
from anx.experiment.run_loggers import end_loggers, log_refusal, make_loggers
from anx.experiment.trust import trust_override
from anx.experiment.weights import write_agent
from anx.files import write_whole
from anx.learners.data import EpisodeSeeds
from anx.rollout.evaluation import summarise
from anx.signals import Interrupted, interruptible

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, Any] | None:
    """One run. Returns what its report says, or nothing where it was interrupted."""
    try:
        return run(config)
    except Interrupted:
        return None


def run(config: DictConfig) -> dict[str, Any]:
    """One run. Returns what its report says.

    Raises:
        Interrupted: by SIGINT or SIGTERM. What it has computed until then is in its folder.
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


def run_prepared(config: DictConfig, prepared: Prepared) -> dict[str, Any]:
    """Log, train, evaluate and report."""
    run_dir, trainer = Path(config.run_dir), prepared.trainer
    identity = identify(given_arguments(), config.seed)
    announce(run_dir, config, identity, describe_device(trainer))
    trainer.loggers = loggers = make_loggers(config, identity)
    reason: str | None = "interrupted"
    try:
        report = train_and_test(config, prepared)
        finish(run_dir, report, prepared, evaluation_of(run_dir / "agent.safetensors", *trust_override(config)))
        reason = None
        return report
    except Interrupted:
        kill_other_processes(trainer)
        say_how_to_go_on(run_dir, trainer.global_step)
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise
    finally:
        end_loggers(loggers, reason)


def train_and_test(config: DictConfig, prepared: Prepared) -> dict[str, Any]:
    """What the report says. The agent is in its file before it is tested, also where the training is interrupted."""
    learner, trainer = prepared.learner, prepared.trainer
    data = EpisodeSeeds(config.seed)
    try:
        trainer.fit(learner, data, ckpt_path=prepared.checkpoint and str(prepared.checkpoint))
    finally:
        shipped = ship(prepared, Path(config.run_dir) / "agent.safetensors")
    for each in prepared.callbacks:
        if isinstance(each, Interruption) and each.stopped_by:
            raise Interrupted(each.stopped_by)
    # The test's episodes are none of the validation's, by which the agent was chosen: its score is unbiased.
    trainer.test(learner, data, verbose=False)
    return {
        "name": config.name,
        "generations": trainer.global_step,
        "seed": config.seed,
        "agent": shipped,
        **{name: summarise(returns) for name, returns in learner.test_returns.items()},
    }


def ship(prepared: Prepared, path: Path) -> dict[str, Any] | None:
    """Put the best validated weights into the agent and write it; the last mean where nothing was validated.

    Returns which generation's agent it is, and the score that it was chosen by; None before the first generation.
    """
    learner, generation = prepared.learner, prepared.trainer.global_step
    if not generation:
        return None
    shipped: dict[str, Any] = {"generation": generation, "chosen_by": None, "score": None}
    for each in prepared.callbacks:
        if isinstance(each, Best) and each.score is not None:
            each.put_into(learner.agent)
            shipped = {"generation": each.generation, "chosen_by": each.monitor, "score": each.score}
    write_agent_once(learner.agent, learner.agent_config, path)
    return shipped


@rank_zero_only
def announce(run_dir: Path, config: DictConfig, identity: dict[str, Any], device: str) -> None:
    try:
        write_whole(run_dir / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
        add_start(run_dir / "identity.json", identity)
    except OSError as error:  # a full disk
        raise unwritable(run_dir, error) from None
    log.info("run folder: %s\n%s", run_dir, device)


@rank_zero_only
def write_agent_once(agent: Any, config: dict[str, Any], path: Path) -> None:
    write_agent(agent, config, path)


def kill_other_processes(trainer: Trainer) -> None:
    """End the other processes of a run: without this one they would wait for ever."""
    if trainer.strategy.launcher is not None:
        trainer.strategy.launcher.kill(signal.SIGKILL)


@rank_zero_only
def say_how_to_go_on(run_dir: Path, generation: int) -> None:
    last = run_dir / LAST
    if not last.is_file():
        log.info("interrupted before there was a checkpoint")
        return
    given, checkpoint = given_arguments(), override("ckpt_path", last)
    if given is None:  # started from Python
        line = f"the same configuration with {checkpoint} {override('run_dir', run_dir)}"
    else:
        same = without(given, "ckpt_path", "hydra.run.dir")
        line = command_line("anx.run", *same, checkpoint, override("hydra.run.dir", run_dir))
    log.info("interrupted after generation %d; to go on:\n  %s", generation, line)


@rank_zero_only
def finish(run_dir: Path, report: dict[str, Any], prepared: Prepared, evaluation: str) -> None:
    """Write report.json, say where everything is, and draw report.html: what is computed is safe before it is drawn."""
    write_whole(run_dir / "report.json", json.dumps(report, indent=2) + "\n")
    for name in ("plain", "shuffled"):
        log.info(
            "%-9s %8.1f ± %.1f  (mean and standard error over %d held-out episodes)",
            name,
            report[name]["mean"],
            report[name]["sem"],
            report[name]["episodes"],
        )
    agent = run_dir / "agent.safetensors"
    log.info("agent: %s, %s\nto evaluate it:\n  %s", agent, describe_agent(report["agent"]), evaluation)
    if prepared.draw:
        log.info("report: %s", prepared.draw(run_dir))


def describe_agent(shipped: dict[str, Any]) -> str:
    """Which of a run's agents it is."""
    if shipped["chosen_by"] is None:
        return f"the mean after generation {shipped['generation']:,}: none was validated"
    best = f"the best by {shipped['chosen_by']}: {shipped['score']:.1f}"
    return f"{best}, after generation {shipped['generation']:,}"


def main() -> None:
    # Of several processes the first one's exit code counts; to Lightning, another's would be a crash.
    run_main(train if rank_zero_only.rank else run, "config", refused=log_refusal)  # type: ignore[attr-defined]
