"""What a user can get wrong ends in one line that names the key, the value and what is allowed; exit code 2."""

import sys

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import anx.commands.evaluate
import anx.commands.reproduce
import anx.commands.run


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs a command line that must be refused; returns its one line."""

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *arguments])
        monkeypatch.chdir(tmp_path)
        GlobalHydra.instance().clear()
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        assert end.value.code == 2
        assert output.err.startswith("error: ")
        assert output.err.count("\n") == 1
        assert "Traceback" not in output.out + output.err
        return output.err

    return run


RUNS = {
    "a patch size that does not divide the frame": (
        ["+experiment=pong", "splitter.patch_size=5"],
        ["splitter.patch_size=5", "84x84", "allowed: 1, 2, 3, 4, 6, 7, 12, 14, 21, 28, 42, 84"],
    ),
    "an unknown experiment": (["+experiment=pang"], ["experiment=pang", "cartpole", "pong"]),
    "an unknown component": (["neuron=gru"], ["neuron=gru", "lstm", "frame_difference"]),
    "an unknown key": (["pooler.nun_queries=4"], ["nun_queries"]),
    "a key that a part does not take": (["+pooler.foo=3"], ["pooler.foo=3", "AttentionPooler", "num_queries"]),
    "an ablation of another experiment": (
        ["+ablation=attention_agent"],
        ["ablation=attention_agent is for agents with env CarRacing", "has CartPoleSwingUpHarder"],
    ),
    "ablations that contradict each other": (
        ["+ablation=[fnn,learned_queries]"],
        ["ablation=fnn and ablation=learned_queries contradict each other: both change pooler"],
    ),
    "a training on inputs that the agent cannot take": (
        ["+ablation=fnn", "perturbations=[noise]"],
        ["pooler=concatenation takes 5 inputs", "the perturbations leave 10"],
    ),
    "a background that is no picture": (
        ["+experiment=car_racing", "env.background=nothing.png"],
        ["env.background=nothing.png", "clouds, hills, mosaic, stripes"],
    ),
    "latents that fill no square": (
        ["+experiment=pong", "policy=cnn", "pooler.num_queries=390"],
        ["pooler.num_queries=390", "361 and 400"],
    ),
    "a text for a number": (["pooler.num_queries=many"], ["pooler.num_queries=many", "an integer"]),
    "a fraction for a count": (["learner.rollouts=1.5"], ["learner.rollouts=1.5", "an integer"]),
    "an unknown choice": (["pooler.activation=relu"], ["pooler.activation=relu", "tanh, softmax"]),
    "a negative population": (["optimizer.popsize=-4"], ["optimizer.popsize=-4", "at least 2"]),
    "negative rollouts": (["learner.rollouts=-1"], ["learner.rollouts=-1", "at least 1"]),
    "negative generations": (["trainer.max_steps=-3"], ["trainer.max_steps=-3", "at least 1"]),
    "a validation every 0 generations": (
        ["trainer.val_check_interval=0"],
        ["trainer.val_check_interval=0", "at least 1"],
    ),
    "a validation every 0 epochs": (["trainer.check_val_every_n_epoch=0"], ["check_val_every_n_epoch=0", "at least 1"]),
    "a negative seed": (["seed=-1"], ["seed=-1"]),
    "a seed beyond 32 bits": ([f"seed={2**32}"], ["seed=4294967296", "at most 4294967295"]),
    "a text for a seed": (["seed=zero"], ["seed=zero", "an integer"]),
    "no queries": (["pooler.num_queries=0"], ["pooler.num_queries=0", "at least 1"]),
    "a population that processes cannot share": (
        ["optimizer.popsize=3", "trainer.devices=4", "trainer.strategy=ddp"],
        ["optimizer.popsize=3", "at least 4", "trainer.devices"],
    ),
    "an epoch's end": (["+trainer.limit_train_batches=2"], ["limit_train_batches=2", "left out"]),
    "no directions": (
        ["learner=safe", "learner.spare.directions=0"],
        ["learner.spare.directions=0 must be at least 1"],
    ),
    "what to spare without who can": (
        ["optimizer=genetic", "learner.spare={_target_:anx.learners.spare.Spare}"],
        ["learner.spare={", "needs learner=safe"],
    ),
    "one twice": (["perturbations=[noise,noise]"], ["perturbations=[noise,noise] names noise twice"]),
    "parts of nothing": (["weights_of=[policy]"], ["weights_of=['policy'] needs weights=PATH"]),
    "accumulated gradients": (["+trainer.accumulate_grad_batches=2"], ["accumulate_grad_batches=2", "must be 1"]),
    "a rollout of the other kind": (["env=ant", "rollout=device"], ["env=ant needs rollout=host, not rollout=device"]),
    "a rollout for simulators": (["rollout=host"], ["env=cartpole needs rollout=device, not rollout=host"]),
    "steps beyond counting": (["env.max_steps=1000000000"], ["env.max_steps=1000000000", "at most 100000000"]),
    "a splitter for another environment": (["splitter=patch"], ["splitter=PatchSplitter", "use splitter=scalar"]),
    "a solver that is not offered": (["optimizer=nevergrad", "optimizer.name=PSO"], ["optimizer.name=PSO", "TBPSA"]),
    "weights that do not exist": (["weights=nothing.npz"], ["weights=nothing.npz", "does not exist"]),
    "a checkpoint that does not exist": (["ckpt_path=nothing.ckpt"], ["ckpt_path=nothing.ckpt", "does not exist"]),
    "a report of another kind": (["report.film=maybe"], ["report.film=maybe", "true or false"]),
    "a number for a part": (["neuron=3"], ["neuron=3", "lstm, pass_through"]),
    "no part": (["neuron=null"], ["neuron=None", "a run needs one"]),
    "a part without a target": (["~neuron._target_"], ["neuron=", "a run needs one"]),
    "an absurd size": (
        ["pooler.num_queries=1000000000000"],
        ["pooler.num_queries=1000000000000", "at most 2147483647"],
    ),
    "candidates that no memory holds": (["optimizer.popsize=2000000000"], ["optimizer.popsize=2000000000", "GB"]),
    "a seed that NumPy does not take": (["seed=4294967296"], ["seed=4294967296", "at most 4294967295"]),
    "an interpolation of nothing": (["env.max_steps=${nowhere}"], ["env.max_steps", "'nowhere' not found"]),
    "an interpolation that is none": (["pooler='${'"], ["pooler=", "${", "can't be read"]),
    "a key that Lightning does not take": (["+trainer.word=1"], ["trainer.word=1", "no argument of Trainer"]),
    "a value that Lightning does not take": (["trainer.num_nodes=null"], ["trainer.num_nodes=None", "an integer"]),
    "a budget that is none": (["size=3"], ["size=3 is not one of", "quick"]),
    "a perturbation that is none": (
        ["perturbations=[noise]", "perturbations.noise=''"],
        ["perturbations.noise=", "part"],
    ),
    "ablations by hand": (["ablations=3"], ["ablations=3", "+ablation=NAME"]),
    "a number for a file": (["weights=3"], ["weights=3", "a file or null"]),
    "a badly written override": (["seed:3"], ["seed:3"]),
}


@pytest.mark.parametrize(("arguments", "says"), RUNS.values(), ids=RUNS)
def test_a_run_refuses(refused, arguments, says):
    line = refused(anx.commands.run.main, "hydra.run.dir=run", "logger=csv", "+budget=smoke", *arguments)
    for part in says:
        assert part in line


def test_a_run_refuses_a_truncated_checkpoint(refused, tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(1000)}}, tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").write_bytes((tmp_path / "last.ckpt").read_bytes()[:1000])
    line = refused(anx.commands.run.main, "logger=csv", f"ckpt_path={tmp_path / 'last.ckpt'}")
    assert "last.ckpt is not a whole checkpoint" in line


def test_a_run_refuses_a_checkpoint_that_another_configuration_left(refused, monkeypatch, capsys, tmp_path):
    base = ["logger=csv", "+budget=smoke", "env.max_steps=20", "trainer.max_steps=1", "callbacks.pictures=null"]
    base += ["report=null"]
    monkeypatch.setattr(sys, "argv", ["anx", *base, f"hydra.run.dir={tmp_path / 'run'}"])
    GlobalHydra.instance().clear()
    anx.commands.run.main()
    capsys.readouterr()
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    popsize = refused(anx.commands.run.main, *base, "optimizer.popsize=10", f"ckpt_path={last}")
    assert "optimizer.popsize=10, but ckpt_path was trained with optimizer.popsize=16" in popsize
    assert "pooler.num_queries" in refused(anx.commands.run.main, *base, "pooler.num_queries=4", f"ckpt_path={last}")


EVALUATIONS = {
    "weights of another architecture": (["weights=ant.npz"], ["ant.npz has 2504 parameters", "this agent has 433"]),
    "an npz without params": (["weights=other.npz"], ["other.npz has no array `params`", "weights"]),
    "no weights": ([], ["weights"]),
    "no episodes": (["weights=own.npz", "episodes=0"], ["episodes=0", "at least 1"]),
    "a text for a number of episodes": (["weights=own.npz", "episodes=many"], ["episodes=many", "an integer"]),
    "a perturbation that removes every input": (
        ["weights=own.npz", "perturbations=[occlude]", "perturbations.occlude.ratio=0.95"],
        ["perturbations.occlude.ratio=0.95", "removes all 5 inputs", "less than 0.9"],
    ),
    "an unknown perturbation": (["weights=own.npz", "perturbations=[shake]"], ["perturbations=shake", "shuffle"]),
    "a negative number of channels": (
        ["weights=own.npz", "perturbations=[noise]", "perturbations.noise.channels=-1"],
        ["perturbations.noise.channels=-1", "at least 1"],
    ),
    "a wrong type": (
        ["weights=own.npz", "perturbations=[shuffle]", "perturbations.shuffle.every=often"],
        ["perturbations.shuffle.every=often", "an integer or null"],
    ),
    "an output that can't be written": (["weights=own.npz", "output=/proc/anx/result.json"], ["/proc/anx"]),
    "an output of another kind": (["weights=own.npz", "output=result.txt"], ["output=result.txt", ".json"]),
    "a film of another kind": (["weights=nothing.npz", "video=film.avi"], ["video=film.avi must end in .mp4"]),
    "a film that can't be written": (["weights=nothing.npz", "video=/proc/anx/film.mp4"], ["/proc/anx"]),
    "figures that can't be written": (["weights=nothing.npz", "figures=/proc/anx"], ["/proc/anx"]),
    "a device that is not there": (["weights=own.npz", "device=abacus"], ["device=abacus"]),
}


@pytest.mark.parametrize(("arguments", "says"), EVALUATIONS.values(), ids=EVALUATIONS)
def test_an_evaluation_refuses(refused, tmp_path, arguments, says):
    for name, size, key in (("ant", 2504, "params"), ("own", 913, "params"), ("other", 913, "weights")):
        np.savez(tmp_path / f"{name}.npz", **{key: np.zeros(size, np.float32)})
    line = refused(anx.commands.evaluate.main, *arguments)
    for part in says:
        assert part in line


REPRODUCTIONS = {
    "an unknown table": (["tables=[cartpole,pang]"], ["tables=pang", "allowed: cartpole, ant, car_racing, reshuffle"]),
    "unknown weights": (["weights.pang=own.npz"], ["weights.pang"]),
    "no episodes": (["episodes=0"], ["episodes=0", "an integer, at least 1"]),
    "a text for a number": (["episodes=many"], ["episodes=many", "an integer, at least 1"]),
    "a negative seed": (["seed=-1"], ["seed=-1", "at least 0"]),
    "an output that can't be written": (["output=/proc/anx/tables.md"], ["/proc/anx"]),
    "an output of another kind": (["output=tables.txt"], ["output=tables.txt", ".md"]),
    "a device that is not there": (["weights.cartpole=own.npz", "device=abacus"], ["device=abacus"]),
}


@pytest.mark.parametrize(("arguments", "says"), REPRODUCTIONS.values(), ids=REPRODUCTIONS)
def test_a_reproduction_refuses(refused, tmp_path, arguments, says):
    np.savez(tmp_path / "own.npz", params=np.zeros(913, np.float32))
    line = refused(anx.commands.reproduce.main, *arguments)
    for part in says:
        assert part in line


def test_the_baseline_refuses_more_inputs_than_it_was_built_for(refused, tmp_path):
    np.savez(tmp_path / "fnn.npz", params=np.zeros(1281, np.float32))
    line = refused(anx.commands.evaluate.main, "+ablation=fnn", "weights=fnn.npz", "perturbations=[noise]")
    assert "takes 5 inputs, the perturbations leave 10" in line


def test_a_run_folder_that_cannot_be_written_is_refused_before_any_work(refused):
    assert "/proc/anx" in refused(anx.commands.run.main, "hydra.run.dir=/proc/anx")
