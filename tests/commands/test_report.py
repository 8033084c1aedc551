import html
import json
import re
import shutil
import sys

import pytest
from conftest import compose, make_agent
from omegaconf import OmegaConf

import anx.commands.report
from anx.commands.report import write_report
from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.files.weights import write_agent
from anx.files import write_whole
from anx.views.report import flatten

SMALL = ["+budget=smoke", "env.max_steps=30", "trainer.max_steps=2"]
OWN_REPORT = ["report.figures=true", "report.film=true"]  # the tests' configurations switch them off
FIGURES = {"attention", "queries", "latent", "regression"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run with everything in its report."""
    folder = tmp_path_factory.mktemp("run")
    train(compose(*SMALL, *OWN_REPORT, "logger=csv", f"run_dir={folder}"))
    return folder


def pictures(page):
    return dict(re.findall(r'<img alt="(.+?)" src="data:image/png;base64,([A-Za-z0-9+/=]+)">', page))


def test_a_run_leaves_a_report_that_needs_no_network_and_no_other_file(finished):
    page = (finished / "report.html").read_text()
    sources = re.findall(r"""(?:src|srcset|poster|data|href)=["']?([^"'>]*)""", page)
    assert [each for each in sources if each.startswith(("http:", "https:", "//"))] == []
    assert not re.search(r"url\(|@import|<script|<link", page)
    assert all(each.startswith("data:") for each in re.findall(r'src="([^"]*)"', page))


def test_a_report_holds_the_scores_the_pictures_the_film_and_the_configuration(finished):
    page = (finished / "report.html").read_text()
    report = json.loads((finished / "report.json").read_text())
    for name in ("plain", "shuffled"):
        numbers = "{mean:.1f} ± {std:.1f}</td><td>{sem:.1f}</td><td>{episodes}".format(**report[name])
        assert f"<th>{name}</th><td>{numbers}</td>" in page
    assert pictures(page).keys() == {"learning curve", *FIGURES, "attention_000002"}
    assert page.count("data:image/png;base64,") == len(pictures(page))
    assert page.count("data:video/mp4;base64,") == 1
    assert "num_queries: 16" in page
    assert f"weights={finished}/agent.safetensors" in page
    assert f"that of generation 2, {report['agent']['score']:.1f} by\nvalidation/shuffled_mean" in page
    for name in ("metrics.csv", "report.json", "checkpoints/last.ckpt", "film.mp4"):
        assert f'href="{name}"' in page
        assert (finished / name).is_file()
    assert {path.stem for path in (finished / "figures").glob("*.png")} == FIGURES


def test_a_report_is_written_again_from_the_folder(finished, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(finished, tmp_path / "copy")
    for name in ("report.html", "film.mp4", "curve.png"):
        (folder / name).unlink()
    shutil.rmtree(folder / "figures")
    write_whole(folder / "identity.json", json.dumps({"git": {"commit": "abc123"}, "starts": ["now", "<later>"]}))
    monkeypatch.setattr(sys, "argv", ["anx.report", str(folder)])
    anx.commands.report.main()
    assert str(folder / "report.html") in capsys.readouterr().out
    page = (folder / "report.html").read_text()
    assert pictures(page).keys() == pictures((finished / "report.html").read_text()).keys()
    assert "data:video/mp4" in page
    for key, value in (("git.commit", "abc123"), ("starts.1", "&lt;later&gt;")):
        assert re.search(rf"<th>{key}</th><td><code>{value}</code>", page)


def test_a_run_that_was_interrupted_has_a_report_of_what_it_has(tmp_path):
    config = compose(*SMALL, "trainer.max_steps=9", f"run_dir={tmp_path}")
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    page = write_report(tmp_path).read_text()
    assert "0 of 9 generations" in page
    assert pictures(page) == {}

    agent, _ = make_agent(*SMALL)
    write_agent(agent.float(), {}, tmp_path / "agent.safetensors")
    rows = ["step,train/fitness_max,train/fitness_mean,validation/plain_mean,validation/shuffled_mean"]
    rows += ["0,2,1,1.25,1.5", "1,3,2,,"]
    (tmp_path / "metrics.csv").write_text("\n".join(rows) + "\n")
    page = write_report(tmp_path, film=False).read_text()
    assert "2 of 9 generations" in page
    assert re.search(r"last validation 1\.5 with shuffled inputs,\s+1\.2 with plain", page)
    assert pictures(page).keys() == {"learning curve", *FIGURES}
    assert "data:video" not in page
    assert "Final evaluation" not in page


def test_a_report_of_another_agent_says_so_and_its_command_is_quoted(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "a b=c")
    report = json.loads((folder / "report.json").read_text())
    report["agent"] = {"generation": 2, "chosen_by": None, "score": None}
    write_whole(folder / "report.json", json.dumps(report))
    page = html.unescape(write_report(folder, figures=False, film=False).read_text())
    assert "Of the last mean, after generation 2: none was validated" in page
    assert f"""'weights="{folder}/agent.safetensors"' 'perturbations=[shuffle]'""" in page
    del report["agent"]  # an older version's
    write_whole(folder / "report.json", json.dumps(report))
    assert "generation 2" not in write_report(folder, figures=False, film=False).read_text().split("<h2>Learning")[0]


def test_results_are_safe_before_anything_is_drawn(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr("anx.views.report.study", fail)
    with pytest.raises(OSError, match="no space left"):
        train(compose(*SMALL, "report.figures=true", "logger=csv", "callbacks.pictures=null", f"run_dir={tmp_path}"))
    assert json.loads((tmp_path / "report.json").read_text())["generations"] == 2
    assert (tmp_path / "agent.safetensors").is_file()


def test_without_ffmpeg_the_report_has_no_film_and_says_so(finished, tmp_path, monkeypatch, caplog):
    def fail():
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", fail)
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "film.mp4").unlink()
    page = write_report(tmp_path, figures=False).read_text()
    assert "data:video" not in page
    assert pictures(page).keys() >= FIGURES  # those that were there
    assert "No ffmpeg exe could be found" in caplog.text


@pytest.fixture
def of_another_learner(tmp_path):
    """The folder of a run whose learner has other words, validations and metrics than evolution."""
    config = compose(*SMALL, "trainer.max_steps=9", f"run_dir={tmp_path}")
    config.learner = {"_target_": "somebody.Cloning"}
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    rows = [
        "step,train/loss,validation/noisy_mean,validation/teacher_mean,validation/loss",
        "0,3,1.25,1.5,8",
        "6,2,,,7",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_report_speaks_of_another_learners_steps_and_of_whatever_it_has_validated(of_another_learner):
    page = write_report(of_another_learner, film=False, figures=False).read_text()
    assert "7 of 9 steps" in page
    assert re.search(r"last validation 1\.5 with teacher inputs,\s+1\.2 with noisy ones", page)
    assert "The agent's return on held-out episodes" in page
    assert "a row a step" in page
    for word in ("generation", "shuffled inputs</h2>", "population"):
        assert word not in page.split("<h2>Configuration")[0]


def test_a_report_shows_whatever_the_final_evaluation_holds_by_its_names(of_another_learner):
    numbers = {"mean": 2.0, "std": 1.0, "sem": 0.5, "episodes": 4}
    report = {"name": "cartpole", "steps": 9, "seed": 0, "noisy": numbers, "teacher": {**numbers, "mean": 3.0}}
    report["agent"] = {"step": 8, "chosen_by": "validation/teacher_mean", "score": 1.5}
    write_whole(of_another_learner / "report.json", json.dumps(report))
    page = write_report(of_another_learner, film=False, figures=False).read_text()
    assert re.search(r"<b>3\.0 ± 0\.5</b> teacher,\s+2\.0 ± 0\.5 noisy, after\s+9 steps", page)
    assert re.findall(r"<tr><th>(\w+)</th><td>", page)[:2] == ["noisy", "teacher"]
    assert re.search(r"that of step 8, 1\.5 by\s+validation/teacher_mean", page)
    report["agent"] = {"step": 9, "chosen_by": None, "score": None}
    write_whole(of_another_learner / "report.json", json.dumps(report))
    page = write_report(of_another_learner, film=False, figures=False).read_text()
    assert "Of the last agent, after step 9: none was validated" in page


def test_a_report_has_the_words_that_its_numbers_come_with_whatever_is_trusted(of_another_learner):
    report = {"name": "cartpole", "epochs": 9, "seed": 0, "agent": {"epoch": 8, "chosen_by": None, "score": None}}
    write_whole(of_another_learner / "report.json", json.dumps(report))
    page = write_report(of_another_learner, film=False, figures=False).read_text()
    assert "Without a final evaluation, after 9 epochs" in page
    assert "metrics, a row a epoch" in page


def test_a_learner_of_a_package_that_is_trusted_says_what_its_steps_are_called(
    of_another_learner, tmp_path, monkeypatch
):
    (tmp_path / "somebody.py").write_text(
        "from anx.learners.base import Words\n\nclass Cloning:\n    words = Words('epoch', 'epochs')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "7 of 9 steps" in write_report(of_another_learner, film=False, figures=False).read_text()
    assert "somebody" not in sys.modules
    page = write_report(of_another_learner, film=False, figures=False, trust=["somebody"]).read_text()
    assert sys.modules.pop("somebody")
    assert "7 of 9 epochs" in page


@pytest.mark.parametrize("content", [None, "- a list", "name: of something else"])
def test_a_folder_that_is_no_runs_is_refused_in_one_line(tmp_path, monkeypatch, capsys, content):
    if content:
        (tmp_path / "config.yaml").write_text(content)
    monkeypatch.setattr(sys, "argv", ["anx.report", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        anx.commands.report.main()
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: RUN_FOLDER={tmp_path} is no run's folder")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "says"), [("{", "can't be read as JSON ("), ("[]", "is no run's: it must hold an object")]
)
def test_a_final_evaluation_that_no_run_wrote_is_refused_in_one_line(finished, tmp_path, content, says):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "report.json").write_text(content)
    with pytest.raises(ConfigError) as error:
        write_report(folder, figures=False, film=False)
    assert str(error.value).startswith(f"{folder / 'report.json'} {says}")
    assert "\n" not in str(error.value)


def test_nested_values_are_flattened_to_dotted_keys():
    value = {"git": {"commit": None, "dirty": False}, "gpus": ["a", "b"], "seed": 0, "none": {}}
    assert list(flatten(value)) == [
        ("git.commit", "-"),
        ("git.dirty", False),
        ("gpus.0", "a"),
        ("gpus.1", "b"),
        ("seed", 0),
    ]
