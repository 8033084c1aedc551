"""Random overrides of every key: each builds, plays a generation and evaluates, or is refused in a line that says why.

A few hundred seeded points at every start; thousands with ANX_FUZZ=5000, other ones with ANX_FUZZ_SEED=1. A point that
fails is printed with its overrides. Integers are small or absurd (1e12): what lies between is slow, but not wrong. What
a run accepts is played with few steps, candidates and generations, whatever it asks for.
"""

import contextlib
import copy
import io
import os
import random
import re
import signal
import traceback
from importlib.util import find_spec
from pathlib import Path

import hydra
import pytest
import torch
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from anx.commands.run import run
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.overrides import for_hydra
from anx.experiment.config.own_configs import config_folder
from anx.experiment.prepare import prepare

POINTS = int(os.environ.get("ANX_FUZZ", "250"))
SEED = int(os.environ.get("ANX_FUZZ_SEED", "0"))
SMALL = ["+budget=smoke", "env.max_steps=3", "trainer.max_steps=1", "++callbacks.pictures=null", "report=null"]
SMALL += ["run_dir=run"]
BASES = {  # of each, what share of the points starts there
    "cartpole": (["logger=csv"], 0.8),
    "cartpole with all": (["+callbacks.progress.every=1", "+ablation=no_memory", "perturbations=[shuffle,noise]"], 0.1),
    "ant": (["+experiment=ant", "logger=csv", "env.processes=1"], 0.03),
    "pong": (["+experiment=pong", "logger=csv", "env.threads=1"], 0.04),
    "car_racing": (["+experiment=car_racing", "logger=csv", "env.processes=1"], 0.03),
}
NEEDS = {"ant": "pybullet", "pong": "ale_py", "car_racing": "Box2D"}  # what has no wheel for every Python
BASES = {name: base for name, base in BASES.items() if name not in NEEDS or find_spec(NEEDS[name])}
NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "-2",
    "0.5",
    "1.0",
    "-0.5",
    "1.5",
    "1e-30",
    "1e30",
    "1000000000000",
    "inf",
    "nan",
]
OTHERS = [
    "null",
    "true",
    "false",
    "''",
    "word",
    "größe",
    "a b",
    "[]",
    "[1,2]",
    "[a]",
    "[[1]]",
    "{}",
    "{a:1}",
    "${seed}",
]
OTHERS += ["${nowhere}", "auto", "-1e12", "'${'", "[null]", "0x10", "tanh", "learned", "softmax", "csa", "cpu"]
ODD = ["word=1", "pooler.word=1", "+pooler.word=1", "++trainer.word=1", "+word=1", "~word", "seed.word=1", "+seed=1"]
SLOW = 1000  # candidates times episodes times steps
SECONDS = 60  # of processor time that a point may take


def keys_of(node, key=""):
    """Every key of a configuration, parts as well as values."""
    if key:
        yield key
    if OmegaConf.is_dict(node):
        for name in node:
            yield from keys_of(node._get_node(name), f"{key}.{name}" if key else str(name))


class Fuzz:
    """Draws points and plays them."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.bases = {name: hydra.compose("config", [*SMALL, *given]) for name, (given, _) in BASES.items()}
        folders = (path for path in Path(config_folder()).iterdir() if path.is_dir())
        self.groups = [path.name for path in folders if path.name not in ("hydra", "cluster")]  # which starts processes

    def draw(self):
        """The name of a base and overrides of it."""
        name = self.random.choices(list(BASES), [share for _, share in BASES.values()])[0]
        keys = [key for key in keys_of(self.bases[name]) if key != "run_dir" and not key.endswith("_")]
        return name, [self.override(keys) for _ in range(self.random.choice([1, 1, 1, 2, 2, 3]))]

    def override(self, keys):
        kind = self.random.random()
        if kind < 0.05:
            return self.random.choice(ODD)
        if kind < 0.15:
            group = self.random.choice(self.groups)
            names = [path.stem for path in Path(config_folder(), group).glob("*.yaml")]
            plus = "+" if group in ("ablation", "budget", "experiment") else ""
            return f"{plus}{group}={self.random.choice([*names, *OTHERS, *NUMBERS])}"
        key = self.random.choice(keys)
        if kind < 0.2:
            return f"~{key}"  # what Hydra's instantiate needs is not left out: keys have no underscore at their end
        return f"{key}={self.random.choice(NUMBERS + OTHERS)}"

    def compose(self, name, overrides):
        """As Hydra does, only faster where no part is exchanged."""
        given = for_hydra(overrides)
        parsed = OverridesParser.create().parse_overrides(given)
        if any(each.key_or_group in self.groups for each in parsed):
            return hydra.compose("config", [*SMALL, *BASES[name][0], *given])
        config = copy.deepcopy(self.bases[name])
        ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
        return config


def play(config):
    """One generation and an evaluation of what a configuration builds."""
    learner = prepare(config).learner
    try:
        optimizer, steps = learner.optimizer, config.env.get("max_steps", 1)
        if optimizer.popsize * learner.rollouts * steps > SLOW:
            return
        optimizer.step(
            lambda: learner.rollout(optimizer.ask(), learner.rollouts, 0, learner.parts.perturbations).returns.mean(1)
        )
        if max(learner.validation_episodes, learner.test_episodes) * steps <= SLOW:
            learner.play(0, learner.validation_episodes)
            learner.play(0, learner.test_episodes)
    finally:
        learner.rollout.close()


def refusal(function, *arguments):
    """The line in which something ends on a command line; None where nothing is wrong."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), one_line_errors():
            function(*arguments)
    except SystemExit as end:
        if end.code != 2:
            raise
        return [line for line in errors.getvalue().splitlines() if line.startswith("error: ")][-1]
    return None


def problem(line, overrides):
    """What is wrong with a refusal's line, if anything is."""
    if re.search(r"Traceback|<class|<function| object at 0x|OmegaConf|DictConfig|ListConfig", line):
        return "Python's words"
    return None if any(is_named(override, line) for override in overrides) else "neither key nor value"


def is_named(override, line):
    """Whether a line names an override's key and value."""
    key, _, text = override.partition("=")
    key = key.lstrip("+~")
    if text.startswith("${") and text[2:-1] in line:  # what it refers to is not there
        return True
    if key.startswith("budgets."):  # what is wrong with it is said of the key that takes it from there
        key = ""
    if line.startswith(f"error: {key.rpartition('.')[0]}: "):  # as the part itself, which is not ours, said it
        return True
    if key not in line and key.rsplit(".", 1)[-1] not in line and not line.startswith(f"error: {key.split('.')[0]}: "):
        return False
    if text.startswith("${") or line.startswith("error: trainer: "):  # the value it stands for; Lightning's own words
        return True
    if re.search("is not a container|[Ii]nterpolation|Could not override", line):  # it is another key that refers to it
        return True
    if "." not in key and line.startswith(f"error: {key}."):  # a part that is chosen, and one of its arguments
        return True
    texts = {text, text.strip("'")}
    with contextlib.suppress(HydraException):
        value = OverridesParser.create().parse_override(override).value()
        texts |= {str(value), *map(str, value if isinstance(value, list) else [])}
        if value in ([], None):
            texts.add("None")
    return any(each in line for each in texts)


def slow(number, frame):
    raise AssertionError(f"takes more than {SECONDS} s")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs write here, log nothing to W&B, take one core and no more memory than there is."""
    resource = pytest.importorskip("resource")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 6 * 2**30, limits[1]))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = signal.signal(signal.SIGPROF, slow)
    with hydra.initialize_config_dir(config_folder(), version_base="1.3"):
        yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
    torch.set_num_threads(threads)
    resource.setrlimit(resource.RLIMIT_AS, limits)


def test_a_run_takes_any_overrides_of_what_surrounds_it_or_refuses_them(here):
    """Whole runs, for what a generation alone does not see: the trainer, callbacks, loggers."""
    fuzz, failures = Fuzz(), []
    for _ in range(max(POINTS // 25, 1)):
        keys = [
            key for key in keys_of(fuzz.bases["cartpole with all"]) if re.match("trainer|callbacks|logger|report", key)
        ]
        overrides = [fuzz.override([key for key in keys if not key.endswith("_")]) for _ in range(2)]
        overrides = [each for each in overrides if not re.match(r"[+~]*(budget|experiment|env|trainer.max_)", each)]
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            line = refusal(lambda: run(fuzz.compose("cartpole with all", overrides)))  # noqa: B023
        except BaseException as error:
            failures.append((overrides, traceback.format_exception_only(error)[-1]))
            continue
        if line is not None and (wrong := problem(line, overrides)):
            failures.append((overrides, f"{wrong}: {line}"))
    assert not failures, "\n".join(f"{' '.join(overrides)}\n    {what}" for overrides, what in failures)


def test_any_overrides_run_or_are_refused_in_a_line_that_names_key_and_value(here):
    fuzz = Fuzz()
    failures, refused = [], 0
    for _ in range(POINTS):
        name, overrides = fuzz.draw()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            line = refusal(lambda: play(fuzz.compose(name, overrides)))  # noqa: B023
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(
                (name, overrides, f"{type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})")
            )
            continue
        refused += line is not None
        if line is not None and (wrong := problem(line, overrides)):
            failures.append((name, overrides, f"{wrong}: {line}"))
    assert not failures, "\n".join(f"{name} {' '.join(overrides)}\n    {what}" for name, overrides, what in failures)
    assert 0.2 * POINTS < refused < 0.9 * POINTS
