"""The page in a real browser: what is visible, sorted and opened; that it complains of nothing and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from report_lines import published
from snapshot import ROWS

from cspbench.claims import tables
from cspbench.plots.figures import plots
from cspbench.report.html import html
from cspbench.report.select import select
from cspbench.zoo.registry import MODELS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
    *("--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=3000"),
)

STEPS = """
"use strict";
(() => {
  const found = {};
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (table) => all(`#${table} tbody tr`).filter((row) => !row.hidden).map((row) => row.id.split("/")[1]);
  const shown = () => all("section[data-table]").filter((each) => !each.hidden).map((each) => each.id);
  const box = (word) => document.querySelector(`input[value="${word}"]`);
  const head = (column) => document.querySelector(`#imagenet-big th[data-column="${column}"]`);
  const press = (column) => {
    head(column).querySelector("button").click();
    return head(column).getAttribute("aria-sort");
  };
  const note = (name, value) => { found[name] = value; };
  const step = (name) => {
    const status = document.getElementById("status").textContent;
    note(name, { rows: seen("imagenet-big"), hash: location.hash, status });
  };

  note("start", seen("imagenet-big"));
  note("focusable", head("Top-1").querySelector("button").tabIndex);
  box("off").click();
  step("off");
  note("hits", all("td.hit").map((cell) => cell.dataset.title));
  const said = all(".notes li").filter((each) => !each.hidden && !each.closest("section").hidden);
  note("notes", said.length);
  box("close").click();
  step("off or within");
  box("off").click();
  box("close").click();
  step("all");

  note("ascending", press("BFLOPs"));
  step("ascending");
  note("descending", press("BFLOPs"));
  step("descending");
  note("none", press("BFLOPs"));
  step("unsorted");
  press("Top-1");
  box("measured").click();
  step("by measurement");
  press("Model");
  step("by name");

  const search = document.getElementById("search");
  search.value = "CSP resnext";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  step("search");
  document.querySelector('button[type="reset"]').click();
  setTimeout(() => {
    step("reset");
    const table = document.getElementById("table");
    table.value = "timm";
    table.dispatchEvent(new Event("input", { bubbles: true }));
    note("sections", shown());

    location.hash = "#made-1";
    setTimeout(() => {
      note("after a jump", shown());
      location.hash = "#table=imagenet-big&only=off&sort=imagenet-big:BFLOPs:desc";
      setTimeout(() => {
        step("linked");
        const dialog = document.getElementById("details");
        document.querySelector('td[data-title="CSPResNet-50: Top-1"] summary').click();
        const scripts = dialog.querySelectorAll("script").length;
        note("dialog", { open: dialog.open, text: dialog.innerText, scripts });
        dialog.querySelector("form button").click();
        note("closed", !dialog.open);
        document.querySelector("#timm a.network").click();
        note("network", { open: dialog.open, text: dialog.innerText, hash: location.hash });
        dialog.close();
        /* filtered away and folded */
        const fold = () => document.querySelector("#coco-loss .fold");
        note("folded", !fold().open);
        location.hash = "#coco-loss/" + document.querySelector("#coco-loss tbody tr").id.split("/")[1];
        setTimeout(() => {
          note("unfolded", fold().open && !document.getElementById("coco-loss").hidden);
          const middle = all("#imagenet-big tbody tr")[10];
          scrollTo(0, middle.getBoundingClientRect().top + scrollY - 300);
          const bar = document.getElementById("controls").getBoundingClientRect();
          note("head below the bar", Math.round(head("Top-1").getBoundingClientRect().top - bar.bottom));
          const out = document.createElement("pre");
          out.id = "found";
          out.textContent = JSON.stringify(found);
          document.body.append(out);
        }, 50);
      }, 50);
    }, 50);
  });
})();
"""


class Browser:
    """Starts the browser once for each look at a page."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command, self.folder = command, folder

    def look(self, address: str, *options: str) -> subprocess.CompletedProcess[str]:
        """What it prints of a page; and it must not complain."""
        profile = f"--user-data-dir={self.folder / 'profile'}"
        done = subprocess.run(
            [self.command, *QUIET, profile, *options, address],
            capture_output=True,
            text=True,
            timeout=900,
            check=True,
        )
        assert re.findall(r".*CONSOLE.*", done.stderr) == []
        return done


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    command = next(filter(None, map(shutil.which, BROWSERS)), None)
    if command is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)} to check the page in it")
    return Browser(command, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def page(browser: Browser) -> Path:
    path = browser.folder / "report.html"
    lines = published()
    drawn = [plot.svg for plot in plots(lines, tables.load_all())[:1]] if find_spec("matplotlib") else []
    path.write_text(html(select(lines, tables.load_all()), drawn), "utf-8")
    return path


@pytest.fixture(scope="module")
def found(browser: Browser, page: Path) -> dict[str, Any]:
    """What the steps above find, in a copy of the page whose policy also allows them."""
    digest = base64.b64encode(hashlib.sha256(STEPS.encode()).digest()).decode()
    text = page.read_text("utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    copy = page.with_name("copy.html")
    copy.write_text(text.replace("</body>", f"<script>{STEPS}</script>\n</body>"), "utf-8")
    done = browser.look(copy.as_uri(), "--dump-dom", "--window-size=1280,1100")
    (result,) = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    parsed: dict[str, Any] = json.loads(unescape(result))
    return parsed


def visible(dom: str, table: str) -> list[str]:
    """The rows of a table that are not hidden."""
    rows = re.findall(rf'<tr id="{table}/([^"]*)"([^>]*)>', dom)
    return [row for row, rest in rows if "hidden" not in rest]


OFF = ["cspdarknet-53", "resnet-50", "cspresnet-50"]


def test_a_linked_view_asks_for_nothing(browser: Browser, page: Path) -> None:
    log = browser.folder / "net.json"
    done = browser.look(f"{page.as_uri()}#only=off", "--dump-dom", f"--log-net-log={log}")
    assert visible(done.stdout, "imagenet-big") == OFF
    assert visible(done.stdout, "imagenet-small") == []
    assert f"3 of {ROWS} rows shown, in 1 table<" in done.stdout
    # what a browser asks for on its own has no origin
    assert {*re.findall(r'"initiator":"([^"]*)"', log.read_text("utf-8"))} <= {"not an origin"}


def test_marks_are_chosen(found: dict[str, Any]) -> None:
    assert len(found["start"]) == 16
    assert found["off"] == {"rows": OFF, "hash": "#only=off", "status": f"3 of {ROWS} rows shown, in 1 table"}
    assert found["hits"] == ["CSPDarkNet-53: Top-5", "ResNet-50: BFLOPs", "CSPResNet-50: BFLOPs"]
    # the notes of the rows shown: one is off, one says why, two are of a comparison
    assert found["notes"] == 4
    assert found["off or within"]["rows"] == ["darknet-53", *OFF]
    assert found["off or within"]["hash"] == "#only=close,off"
    assert found["all"]["rows"] == found["start"]
    assert found["all"]["hash"] == ""


def test_columns_are_sorted(found: dict[str, Any]) -> None:
    claims = {row.id: row.cells["bflops"].value or 0 for row in tables.load("imagenet-big").rows}
    assert (found["ascending"]["hash"], found["descending"]["hash"]) == (
        "#sort=imagenet-big:BFLOPs:asc",
        "#sort=imagenet-big:BFLOPs:desc",
    )
    rising = found["ascending"]["rows"]
    assert [claims[row] for row in rising] == sorted(claims.values())
    assert found["descending"]["rows"] == rising[::-1]
    assert found["unsorted"]["rows"] == found["start"]
    assert found["focusable"] == 0
    # 76.6 < 77.2 < 77.4, 75.0 of a part; then those without a measurement as they were
    assert found["by measurement"]["rows"][:4] == ["resnet-50", "cspresnet-50", "darknet-53", "cspdarknet-53"]
    assert found["by measurement"]["hash"] == "#by=measured&sort=imagenet-big:Top-1:asc"
    assert found["by name"]["rows"][0] == "cspdarknet-53"


def test_text_and_tables_are_searched(found: dict[str, Any]) -> None:
    assert found["search"]["rows"]
    assert all("cspresnext" in row for row in found["search"]["rows"])
    assert "q=CSP+resnext" in found["search"]["hash"]
    assert (found["reset"]["rows"], found["reset"]["hash"]) == (found["start"], "")
    assert found["sections"] == found["after a jump"] == ["timm"]
    assert found["linked"]["rows"] == ["cspdarknet-53", "resnet-50", "cspresnet-50"]


def test_details_open_in_a_dialog(found: dict[str, Any]) -> None:
    assert found["dialog"]["open"]
    assert found["dialog"]["scripts"] == 0
    for text in ("CSPResNet-50: Top-1", "76.6 (+0.8)", "<script>alert(1)</script>", "ab" * 32, "76.2–77.0"):
        assert text in found["dialog"]["text"]
    assert found["closed"]


def test_a_name_opens_its_networks_definition(found: dict[str, Any]) -> None:
    assert found["network"]["open"]
    assert MODELS["timm/cspdarknet53"].source in found["network"]["text"]
    assert found["network"]["hash"] == found["linked"]["hash"]


def test_a_link_unfolds_its_place(found: dict[str, Any]) -> None:
    assert found["folded"]
    assert found["unfolded"]


def test_the_names_of_columns_stay_below_the_bar(found: dict[str, Any]) -> None:
    assert found["head below the bar"] == 0


@pytest.mark.parametrize(("scheme", "ground"), [("light", 0xF5F6F8), ("dark", 0x0E1115)])
def test_both_schemes(browser: Browser, page: Path, scheme: str, ground: int) -> None:
    from PIL import Image

    picture = browser.folder / f"{scheme}.png"
    setting = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    browser.look(page.as_uri(), setting, "--window-size=500,900", f"--screenshot={picture}")
    with Image.open(picture) as image:
        assert image.size == (500, 900)
        corner = image.convert("RGB").getpixel((2, 2))
    assert corner == (ground >> 16, ground >> 8 & 255, ground & 255)
