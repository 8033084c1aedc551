"""`python -m anx.run`: compose -> check -> build -> fit -> test."""

import json
import logging
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
from anx.config import check, check_writable, run_main
from anx.evolution.data import EpisodeSeeds
from anx.files import write_whole
from anx.interop import load_into, read_checkpoint, read_weights, write_agent
from anx.quiet import quiet_libraries
from anx.rollout.evaluation import summarise

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, Any] | None:
    """One run. Returns what its report says, or nothing where it was interrupted."""
    quiet_libraries()
    check_writable(config.run_dir)
    check(config)
    if config.ckpt_path:
        checkpoint = read_checkpoint(config.ckpt_path)
    seed_everything(config.seed, verbose=False)
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    run_dir = Path(config.run_dir)

    agent, rollout = build_rollout(config)
    if config.weights:
        load_into(agent, read_weights(config.weights), config.weights)
    else:
        start_at_zero(agent)
    learner: Any = instantiate(
        config.learner,
        agent=agent,
        rollout=rollout,
        optimizer=instantiate(config.optimizer),
        perturbations=build_perturbations(config.perturbations, agent),
        agent_config={key: resolved[key] for key in ("name", *AGENT_KEYS)},
    )
    if config.ckpt_path:
        learner.check_resumable(checkpoint)
    callbacks = [instantiate(each) for each in config.callbacks.values() if each]
    announce(run_dir, config)
    loggers = make_loggers(config, resolved)
    exit_code = 1
    try:
        trainer: Trainer = instantiate(
            config.trainer, callbacks=callbacks, logger=loggers, plugins=[WholeCheckpointIO()]
        )
        data = EpisodeSeeds(config.seed)
        trainer.fit(learner, data, ckpt_path=config.ckpt_path)
        write_agent_once(agent, learner.agent_config, run_dir / "agent.safetensors")
        if any(isinstance(each, Interruption) and each.interrupted for each in callbacks):
            log.info(
                "interrupted after generation %d; to go on:\n  python -m anx.run %s ckpt_path=%s hydra.run.dir=%s",
                trainer.global_step,
                shlex.join(without(given_overrides(), "ckpt_path", "hydra.run.dir")),
                run_dir / "checkpoints" / "last.ckpt",
                run_dir,
            )
            exit_code = 0
            return None
        trainer.test(learner, data, verbose=False)
        report = {
            "name": config.name,
            "generations": trainer.global_step,
            "seed": config.seed,
            **{name: summarise(returns) for name, returns in learner.test_returns.items()},
        }
        finish(run_dir, report, config.report)
        exit_code = 0
        return report
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):  # else a multirun's jobs would share the first job's run
                logger.experiment.finish(exit_code=exit_code)


def start_at_zero(agent: torch.nn.Module) -> None:
    """The search starts at 0 (Tang & Ha 2021, appendix A)."""
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.zero_()


def make_loggers(config: DictConfig, resolved: dict[str, Any]) -> list[Any]:
    """The run's loggers; none on processes other than the first."""
    loggers = []
    for each in config.logger.values():
        if each:
            extra = {"run_config": resolved} if each._target_.endswith("make_wandb_logger") else {}
            loggers.append(instantiate(each, **extra))
    return [logger for logger in loggers if logger is not None]


def given_overrides() -> list[str]:
    """What this run was given: of a sweep's runs its own point, not the sweep's command line."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else sys.argv[1:]


def without(arguments: list[str], *keys: str) -> list[str]:
    """Command line arguments but those that set `keys`."""
    return [a for a in arguments if a.split("=")[0].lstrip("+~") not in keys]


@rank_zero_only
def announce(run_dir: Path, config: DictConfig) -> None:
    OmegaConf.save(config, run_dir / "config.yaml", resolve=True)
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
    run_main(train, "config")


if __name__ == "__main__":
    main()
