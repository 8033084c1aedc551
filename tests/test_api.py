"""anx from Python does what the command lines do."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import gymnasium
import hydra
import numpy as np
import pytest
import torch
from conftest import compose as compose_in_tests
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx
import anx.commands.evaluate
from anx.envs.registration import ID
from anx.experiment.overrides import config_folder
from anx.perturb.inputs import Noise, Shuffle
from anx.population import num_parameters, set_vector
from anx.rollout.jobs import episode_seeds

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "agents" / "cartpole.safetensors"
SHORT = "env.max_steps=60"
SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "report=null", "callbacks.pictures=null"]


def run_python(code, folder):
    """What a fresh process prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_anx_imports_nothing_heavy_and_offers_all_of_it(tmp_path):
    printed = run_python(
        """
        import sys
        import anx
        print(sorted({"torch", "hydra", "gymnasium", "lightning", "numpy", "omegaconf"} & set(sys.modules)))
        print(sorted(set(anx.__all__) - set(dir(anx))))
        print(anx.ConfigError.__name__, "torch" in sys.modules)
        """,
        tmp_path,
    )
    assert printed.splitlines() == ["[]", "[]", "ConfigError False"]
    for name in anx.__all__:
        assert getattr(anx, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'levitate'"):
        anx.levitate  # noqa: B018


def test_evaluate_is_the_function_also_where_its_module_is_imported(tmp_path):
    printed = run_python(
        """
        import anx.evaluate
        from anx import evaluate
        import importlib
        print(callable(anx.evaluate), anx.evaluate is evaluate, importlib.import_module("anx.evaluate") is evaluate)
        """,
        tmp_path,
    )
    assert printed == "True True True\n"


@pytest.mark.slow
def test_evaluate_is_a_program_too(tmp_path):
    command = [sys.executable, "-m", "anx.evaluate", f"weights={SHIPPED}", SHORT, "episodes=3", "output=a.json"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=300)
    returns = anx.evaluate(SHIPPED, SHORT, episodes=3, perturbations=()).returns.tolist()
    assert json.loads((tmp_path / "a.json").read_text())["returns"] == returns


def test_what_is_composed_is_what_the_command_line_composes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = ["+experiment=ant", "+ablation=[no_memory]", "logger=null", "seed=3"]
    ours, theirs = anx.compose(*overrides), compose_in_tests(*overrides)
    for config in (ours, theirs):
        del config.run_dir, config.report
    assert OmegaConf.to_container(ours, resolve=False) == OmegaConf.to_container(theirs, resolve=False)


def test_composing_inside_a_program_of_hydras_leaves_it_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hydra.initialize_config_dir(config_folder(), version_base="1.3"):
        around = GlobalHydra.instance().hydra
        assert anx.compose("pooler.num_queries=4").pooler.num_queries == 4
        assert GlobalHydra.instance().hydra is around
        assert hydra.compose("config").pooler.num_queries == 16
    assert not GlobalHydra.instance().is_initialized()


def test_the_run_folder_has_the_usual_name_or_the_one_that_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(anx.compose("name=mine").run_dir).parent == Path("runs/mine")
    assert anx.compose("run_dir=here").run_dir == "here"
    assert anx.compose("hydra.run.dir=there").run_dir == "there"


REFUSED = {
    "an unknown part": (["neuron=gru"], r"^neuron=gru is unknown; allowed: .*lstm"),
    "an unknown key": (["pooler.nun_queries=4"], "nun_queries"),
    "what is no override": (["seed"], "^seed is no override"),
}


@pytest.mark.parametrize(("overrides", "says"), REFUSED.values(), ids=REFUSED)
def test_what_a_user_can_mend_is_one_line(overrides, says):
    with pytest.raises(anx.ConfigError, match=says) as refused:
        anx.compose(*overrides)
    assert "\n" not in str(refused.value)


def test_a_value_of_the_wrong_kind_is_refused_before_anything_is_built_or_run(tmp_path):
    config = anx.compose("pooler.num_queries=many", f"run_dir={tmp_path / 'run'}")
    for use in (anx.make, anx.train):
        with pytest.raises(anx.ConfigError, match=r"^pooler.num_queries=many must be an integer$"):
            use(config)


def test_what_is_made_plays_whole_populations():
    agent, rollout, config = anx.make(anx.compose(*SMALL))
    size = sum(each.numel() for each in agent.module.parameters())
    achieved = rollout(torch.zeros(3, size), episodes=2, seed=0)
    assert achieved.returns.shape == (3, 2)
    assert config.env.max_steps == 20
    assert all(not each.any() for each in agent.module.parameters())  # where the search starts


def test_what_is_made_has_the_weights_that_the_configuration_names():
    made = anx.make(anx.compose(f"weights={SHIPPED}", SHORT)).agent
    loaded = anx.load(SHIPPED, SHORT)
    ours, theirs = (anx.evaluate(each, episodes=2).returns for each in (made, loaded))
    assert ours.tolist() == theirs.tolist()


def episode(env, agent, seed):
    """The return of one episode."""
    (observation, _), state, over, total = env.reset(seed=seed), None, False, 0.0
    while not over:
        action, state = agent(observation, state)
        assert env.action_space.contains(action)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        over = terminated or truncated
    return total


def test_an_agent_acts_step_by_step_in_a_gymnasium_environment():
    env, agent = gymnasium.make(f"anx.envs.registration:{ID}"), anx.load(SHIPPED)
    assert max(episode(env, agent, seed) for seed in range(4)) > 100  # it swings the pole up


def test_an_agent_that_acts_step_by_step_gets_the_evaluations_return():
    agent = anx.load(SHIPPED, SHORT)
    done = anx.evaluate(agent, episodes=1, seed=2, perturbations=())
    world = agent.rollout.env
    start = world.reset(1, torch.Generator().manual_seed(2))
    now, memory, total = type(start)(*(each[0].double() for each in start)), None, 0.0
    for _ in range(int(done.steps[0])):
        before, (_, memory) = memory, agent(world.observe(now), memory)
        now, reward, _ = world.step(now, agent.explain(world.observe(now), before).action)
        total += reward.item()
    assert total == pytest.approx(done.returns[0].item(), rel=1e-9)  # many at once round otherwise


def test_what_an_agent_makes_of_an_observation_is_explained():
    agent = anx.load(SHIPPED)
    observation = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)
    action, state = agent(observation)
    thought = agent.explain(observation)
    assert thought.attention.shape == (5, 16)
    assert action == pytest.approx(thought.action.numpy())
    again, _ = agent(torch.from_numpy(observation), state)
    assert not np.array_equal(again, action)  # it remembers
    assert np.array_equal(agent(observation)[0], action)  # and begins anew


def test_the_order_of_the_inputs_does_not_matter_to_it():
    agent = anx.load(SHIPPED)
    observation, order = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32), [3, 1, 4, 0, 2]
    assert agent(observation)[0] == pytest.approx(agent(observation[order])[0], abs=1e-6)


def test_an_observation_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4,\); this agent takes \(5,\)"):
        anx.load(SHIPPED)(np.zeros(4))


def test_changed_parameters_act_from_the_next_episode_on():
    agent = anx.load(SHIPPED)
    observation = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)
    _, state = agent(observation)
    second, _ = agent(observation, state)
    set_vector(agent.module, torch.zeros(913))
    assert np.array_equal(agent(observation, state)[0], second)
    assert agent(observation)[0] == 0.0


PERTURBED = {
    "the default": ({}, ["perturbations=[shuffle]"]),
    "none": ({"perturbations": ()}, []),
    "names, in order": ({"perturbations": ["noise", "shuffle"]}, ["perturbations=[noise,shuffle]"]),
    "options": (
        {"perturbations": {"shuffle": {"every": 7}, "noise": {"channels": 2, "sigma": 0.2}}},
        [
            "perturbations=[shuffle,noise]",
            *("perturbations.shuffle.every=7", "perturbations.noise.channels=2", "perturbations.noise.sigma=0.2"),
        ],
    ),
    "instances": (
        {"perturbations": [Shuffle(every=7), "noise", Noise(channels=2)]},
        [
            *("perturbations=[shuffle,noise]", "perturbations.shuffle.every=7"),
            "+perturbations.more={_target_: anx.perturb.inputs.Noise, channels: 2}",
        ],
    ),
}


@pytest.mark.parametrize(("python", "arguments"), PERTURBED.values(), ids=PERTURBED)
def test_an_evaluation_is_the_command_lines_to_the_bit(python, arguments, monkeypatch, tmp_path):
    ours = anx.evaluate(SHIPPED, SHORT, episodes=6, seed=4, **python)
    output = tmp_path / "result.json"
    given = [f"weights={SHIPPED}", SHORT, "episodes=6", "seed=4", f"output={output}", *arguments]
    monkeypatch.setattr(sys, "argv", ["anx", *given])
    GlobalHydra.instance().clear()
    anx.commands.evaluate.main()
    theirs = json.loads(output.read_text())
    assert ours.returns.tolist() == theirs["returns"]
    assert ours.steps.tolist() == theirs["steps"]
    assert [ours.mean, ours.std, ours.sem] == [theirs[key] for key in ("mean", "std", "sem")]


NOT_PLAYED = {
    "an unknown perturbation": ({"perturbations": ["shake"]}, r"^perturbations=shake is unknown; allowed: .*shuffle$"),
    "an unknown option": (
        {"perturbations": {"shuffle": {"evry": 3}}},
        r"^perturbations.shuffle.evry=3 .*allowed: every",
    ),
    "a value of another kind": ({"perturbations": {"noise": {"sigma": "much"}}}, "^perturbations.noise.sigma=much"),
    "a text for a list": ({"perturbations": "shuffle"}, r"^perturbations=shuffle must be a list"),
    "no episodes": ({"episodes": 0}, "^episodes=0 must be an integer, at least 1"),
    "a seed too large": ({"seed": 2**32}, "^seed=4294967296"),
}


@pytest.mark.parametrize(("options", "says"), NOT_PLAYED.values(), ids=NOT_PLAYED)
def test_an_evaluation_refuses_in_one_line(options, says):
    with pytest.raises(anx.ConfigError, match=says):
        anx.evaluate(SHIPPED, **options)


def test_overrides_are_given_where_an_agent_is_loaded():
    with pytest.raises(anx.ConfigError, match=r"pooler.gain=0.5.*give it to anx.load"):
        anx.evaluate(anx.load(SHIPPED), "pooler.gain=0.5")
    assert anx.load(SHIPPED, "pooler.gain=0.5").config.pooler.gain == 0.5


def test_a_flat_vector_is_loaded_with_its_experiment(tmp_path):
    np.savez(tmp_path / "flat.npz", params=np.zeros(2504, np.float32))
    assert anx.load(tmp_path / "flat.npz", "+experiment=ant").config.name == "ant"
    with pytest.raises(anx.ConfigError, match="has 2504 parameters, this agent has 913"):
        anx.load(tmp_path / "flat.npz")


def test_what_one_file_says_is_not_left_for_what_is_composed_next():
    def known():
        with pytest.raises(anx.ConfigError, match="allowed: ") as refused:
            anx.compose("policy=gru")
        return str(refused.value)

    before = known()
    anx.load(SHIPPED)
    assert known() == before


def test_a_training_leaves_a_folder_of_its_own_and_an_agent_that_loads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = anx.compose(*SMALL)
    first, second = anx.train(config), anx.train(config)
    assert first.folder.parent == second.folder.parent == tmp_path / "runs" / "cartpole"
    assert first.folder != second.folder
    assert first.report == second.report == json.loads((first.folder / "report.json").read_text())
    assert first.report["plain"]["episodes"] == 16
    given = anx.train(config, tmp_path / "given")
    assert given.folder == tmp_path / "given"
    assert given.agent.read_bytes() == first.agent.read_bytes()
    assert anx.evaluate(given.agent, episodes=2, perturbations=()).steps.max() <= 20
    assert json.loads((first.folder / "identity.json").read_text())[-1]["command"] is None


def test_a_training_in_a_program_of_hydras_is_none_of_that_programs(tmp_path, monkeypatch):
    trained = []

    def inside(config):
        trained.append(anx.train(anx.compose(*SMALL), tmp_path / "inner"))

    monkeypatch.setattr("sys.argv", ["anx", f"hydra.run.dir={tmp_path / 'outer'}"])
    hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")(inside)()
    identity = json.loads((tmp_path / "inner" / "identity.json").read_text())[-1]
    assert trained[0].folder == tmp_path / "inner"
    assert identity["command"] is None


def test_an_interrupted_training_raises(tmp_path, monkeypatch):
    def interrupt(*_):
        raise anx.Interrupted(2)

    monkeypatch.setattr("anx.commands.run.fit", interrupt)
    with pytest.raises(anx.Interrupted):
        anx.train(anx.compose(*SMALL), tmp_path)


@pytest.mark.slow
def test_types_are_seen_by_a_type_checker(tmp_path):
    (tmp_path / "use.py").write_text(
        textwrap.dedent(
            """
            import anx

            reveal_type(anx.evaluate("a").mean)
            reveal_type(anx.load("a")([1.0])[0])
            reveal_type(anx.train(anx.compose("seed=1")).folder)
            anx.load(3)
            """
        )
    )
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--ignore-missing-imports", "use.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    for part in ('"float"', "numpy.ndarray", "pathlib.Path", 'Argument 1 to "load" has incompatible type "int"'):
        assert part in done.stdout


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_in_gymnasiums_own_loop_an_agent_gets_the_return_of_its_evaluation(name):
    agent = anx.make(anx.compose("env=gymnasium", f"env.id={name}", "env.processes=1", "optimizer.popsize=4")).agent
    size = num_parameters(agent.module)
    set_vector(agent.module, torch.from_numpy(np.random.RandomState(0).randn(size).astype(np.float32)))
    done = anx.evaluate(agent, episodes=1, seed=5, perturbations=())
    env = gymnasium.make(name)
    assert episode(env, agent, int(episode_seeds(5, 1)[0])) == pytest.approx(done.returns[0].item(), rel=1e-5)
