"""The panels of the help by option: an option means the same in every command, so it stands in the same panel."""

PANELS = {
    "Models and data": (
        *("--data", "--model", "--cfg", "--weights", "--ema", "--all", "--table", "--tables", "--models"),
        *("--sample", "--split", "--results"),
        *("--labels", "--names", "--classes", "--limit", "--images", "--seed", "--seeds", "--partial"),
        *("--freeze", "--clear", "--width"),
    ),
    "Protocol": (
        *("--preset", "--decoder", "--size", "--topk", "--conf", "--nms", "--nms-kind", "--counting"),
        *("--engine", "--bootstrap", "--map", "--map-iou", "--map-conf"),
        *("--set", "--subdivisions", "--iterations", "--epochs", "--era", "--gradients", "--recipe"),
    ),
    "Execution": (
        *("--batch-size", "--workers", "--device", "--precision", "--compile", "--run", "--fresh", "--allow-bad"),
        *("--eval-every", "--save-every", "--preview", "--tensorboard"),
        *("--budget", "--processes", "--shard", "--submit", "--cluster", "--partition"),
        "--seconds",
        *("--timeout", "--retries", "--mirror"),
    ),
    "Output": (
        *("--to", "--decode", "--dynamic", "--prefix", "--fold-pixels", "--check"),
        *(
            "--format",
            "--wide",
            "--legend",
            "--out",
            "--force",
            "--save",
            "--save-json",
            "--draw",
            "--plots",
            "--per-class",
        ),
        *("--layers", "--against", "--assign", "--explain", "--flips", "--why", "--strict", "--only", "--like-readme"),
        *("--junit", "--summary", "--comment", "--save-txt"),
    ),
}
"""Long names of options by panel, in the order of the help; what is not here stands under "Options"."""


def panel_of(names: list[str]) -> str:
    """The panel of an option by its names."""
    return next((panel for panel, options in PANELS.items() if {*names} & {*options}), "Options")
