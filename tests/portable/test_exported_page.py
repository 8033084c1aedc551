"""The page opens anywhere, and plays as torch does: in a browser that reaches nothing."""

import re
import shutil
from contextlib import contextmanager

import pytest
from test_port import shipped

from anx.portable.page import bare, page, scripts, write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# What the agent in the page makes of observations, and what the world makes of states and actions.
THINK = """(seen) => {
  let state = parts.agent.start(seen[0].length);
  return seen.map((each) => {
    const thought = parts.agent.think(each, state);
    state = thought.state;
    return thought.scores[0];
  });
}"""
PLAY = """() => new Promise((done) => {
  const before = demo.latest.frame, byId = (id) => document.getElementById(id);
  byId("speed").value = "";
  byId("speed").dispatchEvent(new Event("change"));
  byId("seed-input").value = 5;
  byId("restart").click();
  const look = () => {
    const { frame, seed, over, step, origins, return: total } = demo.latest;
    if (frame > before && seed === 5 && over) done([total, step, origins]);
    else requestAnimationFrame(look);
  };
  look();
})"""
STEP = "(given) => given.map(([state, action]) => parts.step(state, action).state)"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of the agent that ships, and that agent's stage."""
    stage, config = shipped()
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(stage, config, path)
    return path, stage


def test_the_page_is_one_file_that_fetches_nothing(written):
    html = written[0].read_text()
    assert len(html) < 150_000
    assert set(re.findall(r'(?:src|href)="([^"]{,12})', html)) == {"data:image/s"}
    assert "http" not in html
    assert str(written[0].parent) not in html


def test_what_is_told_of_an_agent_ends_no_script():
    html = page({"hello": {"name": "</script><b>"}})
    assert "</script><b>" not in html
    assert html.count("<script") == html.count("</script>") == 3


def test_every_module_is_found_by_its_name():
    texts = {**scripts("anx.demo"), **scripts("anx.portable")}
    imported = re.findall(r'from "anx/([^"]+)"', "".join(map(bare, texts.values())))
    assert set(imported) <= set(texts)
    assert not re.findall(r'(?:from|import) "\.', "".join(map(bare, texts.values())))


@contextmanager
def opened(path, **options):
    """A page in Chromium that reaches nothing, and what went wrong in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as own:
        browser = own.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_context(offline=True, **options).new_page()
        wrong = []
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        tab.goto(path.as_uri())
        tab.wait_for_function("globalThis.demo?.drawn > 2")
        yield tab
        assert wrong == []
        browser.close()


def played(tab):
    """The return of episode 5, its steps, and in which order its inputs came."""
    return tab.evaluate(PLAY)


@pytest.mark.exhaustive
def test_the_page_plays_as_torch_does_and_does_not_notice_a_shuffle(written):
    path, stage = written
    moments = list(stage.rollout.watch(stage.vector(), 0))
    short = list(stage.rollout.watch(stage.vector(), 5))
    with opened(path) as tab:
        scores = tab.evaluate(THINK, [each.observation.tolist() for each in moments])
        assert scores == pytest.approx([float(each.scores) for each in moments], abs=1e-4)
        states = [[0.3, -1.0, 2.0, 5.0], [2.39, 9.0, -40.0, 0.0]]
        after = tab.evaluate(STEP, [[state, 1.5] for state in states])
        assert [row[0] for row in after] == pytest.approx([0.29, 2.48])
        total, steps, origins = played(tab)
        assert (total, steps) == (pytest.approx(sum(float(each.reward) for each in short), abs=1e-4), len(short))
        tab.keyboard.press("s")
        shuffled = played(tab)
        assert (shuffled[0], shuffled[1]) == (total, steps)
        assert shuffled[2] != origins == [0, 1, 2, 3, 4]


@pytest.mark.exhaustive
def test_the_page_has_keys_fits_a_telephone_and_lets_a_hand_pull_the_pole(written):
    with opened(written[0], viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") == 360
        for key in ("v", "c", "Space"):
            tab.keyboard.press(key)
        tab.wait_for_function("demo.state.paused && demo.latest.origins.length === 11")
        before = tab.evaluate("demo.latest")
        box = tab.locator("#picture").bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        tab.mouse.down()
        tab.keyboard.press(".")
        tab.keyboard.press(".")
        tab.mouse.up()
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press(".")
        tab.wait_for_function(f"demo.latest.step === {before['step'] + 3}")
        tab.keyboard.press("?")
        assert "by hand" in tab.inner_text("#help")
