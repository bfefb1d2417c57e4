"""YOLOX's training pictures and their labels (spec yolox 0, d.4)."""
