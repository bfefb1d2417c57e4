"""Images as each evaluation loads and resizes them; ImageNet's readers, class orders and integrity checks."""
