"""`python -m anx.film`: an episode of an agent's as an mp4, of what an evaluation's configuration says."""

import sys
from contextlib import closing
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anx.commands.output import find_output
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer
from anx.experiment.evaluation import build_evaluation, name_perturbations
from anx.experiment.file_base import find_base, on_base, read_override
from anx.seeds import LARGEST
from anx.views.film import film

OUTPUT = "film.mp4"  # where nothing else is said


def film_config(config: DictConfig) -> Path:
    """Film the first episode of `config`'s seed; returns where it is."""
    config = on_base(config, list(HydraConfig.get().overrides.task), HydraConfig.get().job.config_name)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    path = find_output(config.output or OUTPUT, ".mp4")
    assert path is not None
    _, rollout, perturbations = build_evaluation(config)
    with closing(rollout):
        film(path, rollout, config.seed, perturbations, f"{config.name}: {name_perturbations(config.perturbations)}")
    return path


def main() -> None:
    with one_line_errors():
        base = find_base(*(read_override(sys.argv[1:], key) for key in ("weights", "trust", "experiment")))
    sys.argv.insert(1, "hydra/help=anx_film")
    run_main(film_config, base)
