"""YOLOX's training: SimOTA, its losses, schedule, average and arrays (spec yolox d)."""
