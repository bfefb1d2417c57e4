"""The names of models on the command line, and what a shell proposes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from processes import run
from refusals import error_of

from cspbench.cli.terminal import completion

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters={}\nactivation=linear\n"


def test_params_takes_every_kind_of_name(tmp_path: Path) -> None:
    (tmp_path / "mine.cfg").write_text(CFG.format(2))
    given = ["CSPResNet-10", "imagenet-small:cspdensenet-ref"]
    done = run(["params", *given, "mine.cfg", "--layers", "--format", "json"], tmp_path)
    assert [load["model"] for load in json.loads(done.stdout)] == ["cspdensenet-ref", "csresnet10", "mine"]
    (row,) = json.loads(run(["params", "-m", "mine.cfg", "--format", "json"], tmp_path).stdout)
    assert row["params"]["measured"] == 6  # 2 filters of 3 channels, 1x1
    card = run(["show", "cspdarknet50_3rdparty_8xb32_in1k", "--why", "--format", "json"], tmp_path)
    assert json.loads(card.stdout)["name"] == "timm/cspdarknet53"


@pytest.mark.parametrize(
    "command",
    [["params"], ["show"], ["eval-imagenet", "DATA", "-m"], ["weights", "verify", "FILE", "-m"]],
)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CSPResNeXt50-PANet-SPP", "usage.ambiguous-model"),
        ("SpineNet-49", "usage.undefined-network"),
        ("csdrknet53", "usage.unknown-model"),
    ],
)
def test_names_that_mean_no_model(command: list[str], name: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "DATA").mkdir()
    done = run([*command, name], tmp_path)
    assert (done.returncode, error_of(done)) == (2, code), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_row_by_its_printed_name_has_weights_to_fetch(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run(["weights", "fetch", "CSPResNet-10", "--out", "out", "--format", "json"], tmp_path)
    rows = json.loads(done.stdout)
    assert {row["row"] for row in rows} == {"cspresnet-10"}
    assert done.returncode == 3  # never released


def test_the_sample_is_evaluated_by_a_cfg_of_ones_own(tmp_path: Path) -> None:
    import cspbench

    package = Path(cspbench.__file__).parent / "sample"
    arguments = ["-m", str(package / "sample-csp-classifier.cfg"), "--limit", "4", "--run", "runs"]
    weights = ["--weights", str(package / "sample-csp-classifier.weights")]
    done = run(["eval-imagenet", "--sample", *arguments, *weights], tmp_path)
    assert "sample-csp-classifier" in done.stdout, done.stderr
    refused = run(["eval-imagenet", "--sample", *arguments], tmp_path)
    assert (refused.returncode, error_of(refused)) == (2, "usage.cfg-without-weights")


def test_every_difference_is_shown(tmp_path: Path) -> None:
    for name, filters in (("one", 2), ("two", 3)):
        (tmp_path / f"{name}.cfg").write_text(CFG.format(filters) + "[maxpool]\nsize=2\nstride=2\n" * (filters - 2))
    done = run(["show", "one.cfg", "--against", "two.cfg", "--format", "json"], tmp_path)
    assert (done.returncode, [list(line.values()) for line in json.loads(done.stdout)]) == (
        1,
        [[0, 0, "convolutional", "filters", "2", "3"], [None, 1, "maxpool", None, None, "[maxpool] 2x2/2"]],
    )
    lines = run(["show", "one.cfg", "--against", "two.cfg", "--format", "csv"], tmp_path).stdout.splitlines()
    assert (lines[0], len(lines)) == ("layer,other layer,section,setting,value,other value", 3)
    same = run(["show", "CSPDarkNet-53", "--against", "csdarknet53"], tmp_path)
    assert (same.returncode, "108" in same.stdout) == (0, True)
    assert run(["show", "one.cfg", "--against", "one.cfg", "--format", "json"], tmp_path).stdout == "[]\n"
    first = run(["params", "csdarknet53", "--against", "darknet53"], tmp_path)
    assert (first.returncode, "layer 2 [convolutional] filters" in first.stdout) == (1, True)
    for more in (["--why"], ["--out", "x.cfg"]):
        refused = run(["show", "one.cfg", "--against", "two.cfg", *more], tmp_path)
        assert (refused.returncode, error_of(refused)) == (2, "usage.not-together")


def test_what_a_shell_proposes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "csdarknet.cfg").touch()
    (tmp_path / "cs").mkdir()
    (tmp_path / "csother.txt").touch()
    assert completion.models("csdarknet53-o") == ["csdarknet53-omega"]
    assert completion.models("cs")[-2:] == ["cs/", "csdarknet.cfg"]
    assert "imagenet-big:cspresnext-50" in completion.models("imagenet-big:")
    assert completion.tables("imagenet-b") == ["imagenet-big"]


def test_a_shell_need_not_wait_for_torch() -> None:
    script = (
        "import sys; from cspbench.cli.terminal import completion; from cspbench.zoo.registry import model; "
        "model('CSPResNeXt-50'); print(completion.models('CSPResNeXt-50+'), 'torch' in sys.modules)"
    )
    assert run([], command=[sys.executable, "-c", script]).stdout == "['CSPResNeXt-50+Elastic'] False\n"
