"""`python -m anx.run`: compose -> check -> build -> fit -> test."""

import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning import Trainer, seed_everything
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from anx.build import AGENT_KEYS, build_perturbations, build_rollout
from anx.callbacks.interruption import Interruption, WholeCheckpointIO
from anx.config import check, check_writable, one_line, run_main
from anx.evolution.data import EpisodeSeeds
from anx.files import write_whole
from anx.identity import add_start, identify
from anx.interop import load_into, read_checkpoint, read_weights, write_agent
from anx.logging import finish_wandb, make_wandb_logger
from anx.quiet import quiet_libraries
from anx.rollout.evaluation import summarise

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, Any] | None:
    """One run. Returns what its report says, or nothing where it was interrupted."""
    quiet_libraries()
    try:
        check_writable(config.run_dir)
        learner = build_learner(config)
        callbacks = [instantiate(each) for each in config.callbacks.values() if each]
    except Exception as error:
        report_failure(one_line(error), config)
        raise
    run_dir = Path(config.run_dir)
    identity = identify(given_overrides(), config.seed)
    announce(run_dir, config, identity)
    loggers = make_loggers(config, identity)
    reason: str | None = "interrupted"
    try:
        trainer: Trainer = instantiate(
            config.trainer, callbacks=callbacks, logger=loggers, plugins=[WholeCheckpointIO()]
        )
        data = EpisodeSeeds(config.seed)
        trainer.fit(learner, data, ckpt_path=config.ckpt_path)
        write_agent_once(learner.agent, learner.agent_config, run_dir / "agent.safetensors")
        if any(isinstance(each, Interruption) and each.interrupted for each in callbacks):
            log.info(
                "interrupted after generation %d; to go on:\n  python -m anx.run %s ckpt_path=%s hydra.run.dir=%s",
                trainer.global_step,
                shlex.join(without(given_overrides(), "ckpt_path", "hydra.run.dir")),
                run_dir / "checkpoints" / "last.ckpt",
                run_dir,
            )
            reason = None
            return None
        trainer.test(learner, data, verbose=False)
        report = {
            "name": config.name,
            "generations": trainer.global_step,
            "seed": config.seed,
            **{name: summarise(returns) for name, returns in learner.test_returns.items()},
        }
        finish(run_dir, report, config.report)
        reason = None
        return report
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise
    finally:
        finish_loggers(loggers, reason)


def build_learner(config: DictConfig) -> Any:
    """What `config` trains, all checked; raises where something is wrong, before anything is logged."""
    check(config)
    if config.ckpt_path:
        checkpoint = read_checkpoint(config.ckpt_path)
    seed_everything(config.seed, verbose=False)
    agent, rollout = build_rollout(config)
    if config.weights:
        load_into(agent, read_weights(config.weights), config.weights)
    else:
        start_at_zero(agent)
    agent_config = {key: config[key] for key in ("name", *AGENT_KEYS)}
    learner: Any = instantiate(
        config.learner,
        agent=agent,
        rollout=rollout,
        optimizer=instantiate(config.optimizer),
        perturbations=build_perturbations(config.perturbations, agent),
        agent_config=OmegaConf.to_container(OmegaConf.create(agent_config), resolve=True),
    )
    if config.ckpt_path:
        learner.check_resumable(checkpoint)
    return learner


def start_at_zero(agent: torch.nn.Module) -> None:
    """The search starts at 0 (Tang & Ha 2021, appendix A)."""
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.zero_()


def make_loggers(config: DictConfig, identity: dict[str, Any]) -> list[Any]:
    """The run's loggers; none on processes other than the first."""
    loggers = []
    for each in (config.get("logger") or {}).values():
        if each:
            is_wandb = each._target_.endswith("make_wandb_logger")
            loggers.append(instantiate(each, **(wandb_facts(config, identity) if is_wandb else {})))
    return [logger for logger in loggers if logger is not None]


def wandb_facts(config: DictConfig, identity: dict[str, Any]) -> dict[str, Any]:
    """What W&B is told of a run, besides what its logger's config says."""
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return {"run_config": {**resolved, "identity": identity}, "setting": [config.name, *config.ablations]}


def report_failure(reason: str, config: DictConfig | None = None) -> None:
    """A W&B sweep waits for each of its runs: one that can't even be composed ends as failed and says why."""
    if "WANDB_SWEEP_ID" not in os.environ:
        return
    if config is None:
        finish_loggers([make_wandb_logger(run_config={}, setting=[])], reason)
    else:
        finish_loggers(make_loggers(config, identify(given_overrides(), config.seed)), reason)


def finish_loggers(loggers: list[Any], reason: str | None) -> None:
    """End the run in W&B, as failed if there is a reason for that."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):  # else a multirun's jobs would share the first job's run
            finish_wandb(logger, reason)


def given_overrides() -> list[str]:
    """What this run was given: of a sweep's runs its own point, not the sweep's command line."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else sys.argv[1:]


def without(arguments: list[str], *keys: str) -> list[str]:
    """Command line arguments but those that set `keys`."""
    return [a for a in arguments if a.split("=")[0].lstrip("+~") not in keys]


@rank_zero_only
def announce(run_dir: Path, config: DictConfig, identity: dict[str, Any]) -> None:
    OmegaConf.save(config, run_dir / "config.yaml", resolve=True)
    add_start(run_dir / "identity.json", identity)
    log.info("run folder: %s", run_dir)


@rank_zero_only
def write_agent_once(agent: torch.nn.Module, config: dict[str, Any], path: Path) -> None:
    write_agent(agent, config, path)


@rank_zero_only
def finish(run_dir: Path, report: dict[str, Any], drawn: DictConfig | None) -> None:
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
    log.info("agent: %s\nto evaluate it:\n  python -m anx.evaluate weights=%s 'perturbations=[shuffle]'",
             run_dir / "agent.safetensors", run_dir / "agent.safetensors")  # fmt: skip
    if drawn:
        log.info("report: %s", instantiate(drawn)(run_dir))


def main() -> None:
    run_main(train, "config", refused=report_failure)


if __name__ == "__main__":
    main()
