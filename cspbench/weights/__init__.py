"""Weight files: Darknet's, safetensors and the checkpoints of timm and mmpretrain, as arrays by layer."""
