"""The stand-ins for the four reference networks, and what the published numbers do force."""

from __future__ import annotations

import pytest

from cspbench.network.builder import Builder
from cspbench.zoo.reference import cspdensenet_ref_trunk, csppeleenet_ref_trunk
from cspbench.zoo.registry import model


@pytest.mark.parametrize("name", ["cspdensenet", "csppeleenet"])
def test_the_b_form_has_a_1x1_for_the_last_3x3(name: str) -> None:
    whole, b = model(f"{name}-ref").build(), model(f"{name}b-ref").build()
    assert len(whole.layers) == len(b.layers)
    (differing,) = [at for at, layer in enumerate(whole.layers) if layer != b.layers[at]]
    assert whole.inputs(differing) == [(512, 7, 7)]
    assert whole.weights(differing)[-1].shape == (512, 512, 3, 3)
    assert b.weights(differing)[-1].shape == (512, 512, 1, 1)
    # 8 x 512 x 512 weights, at 7 x 7 places 0.2055 G: the published pair's 2.09M and 0.206 (Pelee)
    macs = sum(operation.conv for operation in whole.operations) - sum(each.conv for each in b.operations)
    assert macs == 8 * 512 * 512 * 49


def test_stage_widths() -> None:
    b = Builder("dense", (3, 224, 224))
    dense = cspdensenet_ref_trunk(b, 3)
    network = b.network()
    assert [network.shape(index) for index in dense] == [(512, 14, 14), (512, 7, 7)]
    b = Builder("pelee", (3, 224, 224))
    pelee = csppeleenet_ref_trunk(b, 3)
    network = b.network()
    assert [network.shape(index) for index in pelee] == [(256, 28, 28), (512, 14, 14), (512, 7, 7)]
