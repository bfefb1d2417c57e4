"""The commands that report what was measured, and where: `report`, `ci`, `demo`, `env`."""
