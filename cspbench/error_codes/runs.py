"""Codes of runs: evaluations and trainings."""

from __future__ import annotations

CODES = {
    "incomplete.diverged": "The loss or the weights of a training are no longer numbers; its last checkpoint is kept.",
    "incomplete.drawing-died": "A process that draws pictures died, most often for want of memory.",
    "incomplete.no-rendezvous": "The processes of a distributed evaluation could not connect.",
    "incomplete.run-locked": "Another process has locked the run directory or file.",
    "incomplete.shard-missing": "A run lacks a shard of its predictions.",
    "incomplete.worker-died": "A data-loading process ended before its work was done.",
    "incomplete.write-failed": "Predictions or the record of a run cannot be written; finished shards are kept.",
    "run.checkpoint-alone": "The folder holds the checkpoint of a training, but not its record.",
    "run.checkpoint-unreadable": "The checkpoint of a training cannot be read, or belongs to another network.",
    "run.no-record": "The directory contains predictions but no run.json.",
    "run.no-samples": "A run without samples was requested.",
    "run.none-there": "There is no run directory at the path.",
    "run.not-a-run": "The run.json of the directory cannot be read or has another version.",
    "run.not-a-training": "The training.json of a folder cannot be read or has another version.",
    "run.other-predictions": "A shard contains predictions of another kind than its run.",
    "run.other-run": "The directory contains a run of another model, dataset or protocol.",
    "run.other-settings": "The folder holds a training of other settings, data or starting weights.",
    "run.several": "A folder of several runs was given where one run is needed.",
    "run.shard-unreadable": "A shard cannot be read.",
    "train.batch-norm-of-one": "A batch norm in training would have one value per channel, whose variance is 0.",
    "train.no-loss": "A network in training ends with no layer whose loss is known.",
    "train.not-one-class": "An image for training has no class or several, and the loss takes one.",
    "train.other-classes": "The network of a cfg file has another number of classes than the data.",
    "train.unsupported": "A cfg asks for a kind of training that is not implemented.",
}
