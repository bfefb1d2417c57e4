"""Networks run over images: engine, loader, prediction shards, resume, several processes."""
