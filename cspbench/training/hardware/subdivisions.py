"""The mini-batches of an iteration that the memory of a device has room for (`--subdivisions auto`).

Batch norm sees one mini-batch at a time, so that another number of them is another training. It is therefore the
recipe's own wherever that fits, never fewer, and a resumed run keeps the number with which it began.
"""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from cspbench.data.augment.truths import COLUMNS
from cspbench.errors import DefinitionError
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.inference.footprint import exhausted, out_of_memory
from cspbench.inference.memory import available
from cspbench.models.heads import classes_of
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe
from cspbench.training.augmentation import of_detector, sizes
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.hardware import memory
from cspbench.training.iteration import Trainer, check
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.recipes.chosen import Chosen

SHARE = 0.8
"""Of the free memory that a training may need; pictures made ahead and the system want the rest."""
COPIES = 6
"""Of the arrays: values, velocities, and of both those of the last iteration and of the present one."""
WORKING = 1.5
"""The memory of a pass as a multiple of the maps that it keeps: kernels have copies in layouts of their own."""
SPARE = 0.1
"""Of a GPU's free memory is to be left by a trial: later iterations have other sizes, and fragments between."""
SOURCE = "--subdivisions auto"


def candidates(network: Network, recipe: Recipe) -> list[int]:
    """Numbers of subdivisions from the recipe's own on, with as many images an iteration as it has."""
    net = recipe.net
    numbers = []
    for number in range(net.subdivisions, net.batch + 1):
        if net.batch // number * number == net.images:
            try:
                check(network, divided(recipe, number))
            except DefinitionError:  # a batch norm of one value
                continue
            numbers.append(number)
    return numbers


def settled(
    chosen: Chosen, folder: Folder, device: torch.device, precision: torch.dtype, share: Share, listener: Listener
) -> Chosen:
    """The training with the smallest number of subdivisions that fits in every process, or that of a run to resume.

    All processes call it together. Raises `UsageError` for more processes than images, `IncompleteRunError` where not
    even the smallest mini-batch fits.
    """
    numbers = candidates(chosen.network, chosen.recipe)
    share.check(max(numbers, default=0))
    stored = folder.stored() if share.number == 0 else None
    recorded = share.agreed(stored.subdivisions or 0 if stored else 0)[0]
    if recorded in numbers:
        share.check(recorded)
        return with_subdivisions(chosen, recorded, listener)
    for number in numbers:
        if number >= share.count and all(share.agreed(fits(with_subdivisions(chosen, number), device, precision))):
            return with_subdivisions(chosen, number, listener)
    raise exhausted(f"the training of {chosen.network.name}", MemoryError("too little for the smallest mini-batch"))


def fits(chosen: Chosen, device: torch.device, precision: torch.dtype) -> bool:
    """Whether the memory of a device suffices: of a GPU by trial, of the CPU by what it has and what is needed.

    Processes on one machine share the CPU's.
    """
    if device.type != "cpu":
        result = trial(chosen, device, precision)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return result
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return needed(chosen) * processes <= SHARE * available()


def with_subdivisions(chosen: Chosen, number: int, listener: Listener = SILENT) -> Chosen:
    """The training with another number of subdivisions; the listener hears that batch norm then sees other images."""
    net = chosen.recipe.net
    if number == net.subdivisions:
        return chosen
    recipe = divided(chosen.recipe, number)
    listener.note(
        f"{SOURCE}: {number} mini-batches of {recipe.net.mini_batch} images in place of {net.subdivisions} of "
        f"{net.mini_batch}, so batch norm sees {recipe.net.mini_batch} images together, not the recipe's "
        f"{net.mini_batch}"
    )
    return replace(chosen, recipe=recipe, sources={**chosen.sources, "subdivisions": SOURCE})


def divided(recipe: Recipe, number: int) -> Recipe:
    """The recipe with another number of subdivisions."""
    return replace(recipe, net=replace(recipe.net, subdivisions=number))


def largest(chosen: Chosen) -> tuple[int, int]:
    """Height and width of the largest input of a run."""
    _, height, width = chosen.network.input
    if chosen.detects:
        limit = sizes(chosen.network, chosen.recipe, chosen.era)
        width, height = limit.at(1, 0)  # Darknet begins with the largest
    return height, width


def needed(chosen: Chosen) -> int:
    """Bytes of memory that a training needs on the CPU, by the shapes of what its passes keep; nothing is allocated."""
    network, recipe = chosen.network, chosen.recipe
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # alive, so that no other gets its number
        return tensor

    with torch.device("meta"):
        module = to_training_module(network, recipe, losses(network, recipe, chosen.era))
        images = torch.empty(recipe.net.mini_batch, network.input[0], *largest(chosen))
    arrays = sum(values.nbytes for values in module.parameters())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(images)
    maps = max(0, sum(storage.nbytes() for storage in kept.values()) - arrays)
    return COPIES * arrays + int(WORKING * maps) + 2 * max(storage.nbytes() for storage in kept.values())


def trial(chosen: Chosen, device: torch.device, precision: torch.dtype) -> bool:
    """Whether the passes of the largest mini-batch fit into the memory of a GPU, and `SPARE` of that is left."""
    network, recipe, count = chosen.network, chosen.recipe, chosen.recipe.net.mini_batch
    try:
        free = memory.free(device)
        module = to_training_module(network, recipe, losses(network, recipe, chosen.era))
        for values in module.state_dict().values():
            values.zero_()
        module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trainer = Trainer(network, recipe, chosen.era, module=module, precision=precision)
        images = torch.zeros(count, network.input[0], *largest(chosen), device=device)
        trainer.mini_batch(images.contiguous(memory_format=torch.channels_last), _labels(chosen).to(device))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return False
    arrays = sum(values.nbytes for values in module.parameters())
    # values and velocities are on the device already, once
    return free is None or memory.peak(device) + (COPIES - 2) * arrays <= (1 - SPARE) * free


def _labels(chosen: Chosen) -> torch.Tensor:
    """Labels of a mini-batch, or boxes, without content."""
    count = chosen.recipe.net.mini_batch
    if chosen.detects:
        return torch.zeros(count, of_detector(chosen.network, chosen.recipe).most, COLUMNS)
    return torch.zeros(count, classes_of(chosen.network))
