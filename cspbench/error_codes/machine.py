"""Codes of the machine, the installation and the process."""

from __future__ import annotations

CODES = {
    "disk.folder-is-link": "A folder that cspbench writes to in a run or results directory is a link.",
    "disk.full": "The disk or the quota has no space left.",
    "disk.remove-failed": "A file to be replaced cannot be removed.",
    "disk.write-failed": "A file cannot be written.",
    "environment.no-data-package": "The package that timm needs for this kind of dataset is not installed.",
    "environment.no-git": "Git is not installed or cannot be run.",
    "environment.no-home": "There is no home folder for a cache.",
    "environment.no-timm": "Timm cannot be imported.",
    "environment.other-fvcore": "The installed fvcore lacks a function that counting needs.",
    "internal.defect": "An unexpected error, which is a defect of cspbench.",
    "interrupted": "The command was interrupted; finished work is kept.",
    "memory.batch-too-large": "The batch that is to be timed does not fit into memory.",
    "memory.exhausted": "Memory ran out; finished work is kept.",
    "system.refused": "The operating system refuses an operation unexpectedly.",
    "terminated": "The command was asked to terminate (SIGTERM); finished work is kept.",
}
