"""cspbench checks the published numbers of the Cross Stage Partial Networks (CSPNet) tables."""

__version__ = "0.1.0"
