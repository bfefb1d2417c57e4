"""The catalogue's models as torch modules for one's own programs: initialised, with weights, with another head."""
