"""Weight files: Darknet's, safetensors and the checkpoints of timm and mmpretrain, as arrays a layer at a time."""
