"""Training of the catalogue's torch modules: YOLOX's recipe, and what it runs on."""
