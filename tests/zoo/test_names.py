"""The names by which models may be asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refuses

from cspbench.claims import tables
from cspbench.errors import UsageError
from cspbench.zoo import names
from cspbench.zoo.registry import MODELS, is_file, matching, model

TABLES = tables.load_all(kind=None)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        # the catalogue, in any case
        ("csresnext50", "csresnext50"),
        ("CSResNeXt50", "csresnext50"),
        ("timm/cspdarknet53", "timm/cspdarknet53"),
        # the README's rows
        ("CSPResNeXt-50", "csresnext50"),
        ("CSPDarkNet-53", "csdarknet53"),
        ("cspdarknet-53", "csdarknet53"),
        ("DarkNet-53 [1]", "darknet53"),
        ("DarkNet-53", "darknet53"),
        ("EfficientNet-B0*", "enetb0"),
        ("EfficientNet-B0", "enetb0"),
        ("CSPResNeXt-50+Elastic", "csresnext50-plus-elastic"),
        ("CSPResNeXt50-PANet-SPP(SAM)", "csresnext50-panet-spp-sam"),
        ("imagenet-big:CSPResNeXt-50", "csresnext50"),
        ("imagenet-big:cspresnext-50", "csresnext50"),
        ("IMAGENET-BIG:cspresnext-50", "csresnext50"),
        ("coco-gpu:CSPResNeXt50-PANet-SPP", "csresnext50-panet-spp"),
        ("coco-headline:CSPResNeXt50-PANet-SPP", "csresnext50-panet-spp-original-optimal"),
        ("coco-headline:CSPResNeXt50-PANet-SPP 608x608", "csresnext50-panet-spp-original-optimal"),
        # rows of one printed name are told apart by their settings, and the one without any is meant by the name alone
        ("imagenet-activation:cspresnext-50-mish", "csresnext50-mish"),
        ("CSPResNeXt-50 (Mish)", "csresnext50-mish"),
        ("imagenet-tricks-cspresnext-50:CSPResNeXt-50", "csresnext50"),
        # a printed name that is a name of the catalogue, too
        ("PeleeNet", "peleenet"),
        # the cards
        ("cspdarknet53", "timm/cspdarknet53"),
        ("cspresnet50", "timm/cspresnet50"),
        ("cspresnext50", "timm/cspresnext50"),
        ("efficientnet_b0", "timm/efficientnet_b0"),
        ("cspdarknet50", "timm/cspdarknet53"),
        ("cspdarknet50_3rdparty_8xb32_in1k", "timm/cspdarknet53"),
        ("cspresnext50_3rdparty_8xb32_in1k*", "timm/cspresnext50"),
    ],
)
def test_what_a_name_means(name: str, meant: str) -> None:
    assert model(name) is MODELS[meant]
    assert [entry.name for entry in matching([name])] == [meant]


@pytest.mark.parametrize(
    ("name", "code", "listed"),
    [
        ("Ours", "usage.ambiguous-model", ["coco-cpu:ours-102fps", "csppeleenet-ref-prn-3l"]),
        ("CSPResNeXt50-PANet-SPP", "usage.ambiguous-model", ["coco-headline:", "coco-gpu:cspresnext50-panet-spp-512"]),
        ("imagenet-activation:PeleeNet", "usage.ambiguous-model", ["peleenet-lrelu", "peleenet-mish"]),
        ("SpineNet-49", "usage.undefined-network", ["imagenet-tricks-spinenet-49"]),
        ("imagenet-big:cspdarknt-53", "usage.unknown-row", ["imagenet-big:cspdarknet-53"]),
        ("imagenet-big:CSPDarkNet53", "usage.unknown-row", ["imagenet-big:cspdarknet-53"]),
        ("CSPResNeXt_50", "usage.unknown-model", ["cspresnext50", "cspresnext-50"]),
        ("cspdarknet53_3rdparty", "usage.unknown-model", ["cspdarknet53"]),
        ("nothing:like it", "usage.unknown-model", []),
    ],
)
def test_names_that_mean_no_model(name: str, code: str, listed: list[str]) -> None:
    for look in (model, lambda text: matching([text])):
        with refuses(code) as caught:
            look(name)
        assert caught.value.exit_code == 2
        assert all(text.casefold() in str(caught.value).casefold() for text in listed)


def test_every_row_has_a_name() -> None:
    for table in TABLES[:5]:
        for row in table.rows:
            if row.model:
                assert model(f"{table.name}:{row.id}").name == row.model
            else:
                with refuses("usage.undefined-network"):
                    model(f"{table.name}:{row.id}")


def test_patterns_over_rows_and_cards() -> None:
    def chosen(*patterns: str) -> list[str]:
        return [entry.name for entry in matching(patterns)]

    assert chosen("imagenet-big:cspresnet-50*") == ["csresnet50", "csresnet50-elastic"]
    assert chosen("mmpretrain:*") == chosen("*_3rdparty_*") == [name for name in MODELS if name.startswith("timm/csp")]
    assert chosen("CSResNet50-[go]*") == ["csresnet50-gamma", "csresnet50-omega"]
    assert all(entry.startswith("csp") for entry in chosen("csp*"))  # rows come in only where no model matches
    with refuses("usage.undefined-network"):
        chosen("imagenet-tricks-spinenet-49:*")
    with refuses("usage.unknown-model"):
        chosen("no-table:*")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "csdarknet53.CFG"
    file.write_text("[net]\nwidth=8\nheight=8\nchannels=3\nodd=1\n[convolutional]\nfilters=4\n", encoding="utf-8")
    entry = model(str(file))
    assert (entry.name, entry.definition, entry.source) == ("csdarknet53", "file", str(file))
    assert [layer.section for layer in entry.build().layers] == ["convolutional"]
    assert any("odd" in warning for warning in entry.warnings)
    assert [each.name for each in matching([str(file), "yolov4", str(file)])] == ["yolov4", "csdarknet53"]
    assert not is_file("csdarknet53")
    with refuses("cfg.unreadable"):
        model(str(tmp_path / "missing.cfg"))


def test_completions() -> None:
    assert names.completions("csdark", MODELS) == [name for name in MODELS if name.startswith("csdark")]
    assert names.completions("cspdarknet5", MODELS) == [
        "cspdarknet53",
        "cspdarknet53-panet-spp-512",
        "CSPDarknet53-PANet-SPP",
        "cspdarknet50",
        "cspdarknet50_3rdparty_8xb32_in1k",
    ]
    assert names.completions("imagenet-big:CSPDark", MODELS) == [
        "imagenet-big:cspdarknet-53",
        "imagenet-big:cspdarknet-53-elastic",
    ]
    assert names.completions("zzz", MODELS) == []
    assert not any(sign in text for text in names.completions("", MODELS) for sign in " :*(")


@settings(max_examples=30)
@given(st.text(max_size=12) | st.sampled_from(list(MODELS)).map(lambda name: name[1:] + name[:1]))
def test_any_text_is_a_model_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert names.resolve(text, MODELS) in MODELS.values()
