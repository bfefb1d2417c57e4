"""What commands share on a terminal: help and completion, tables and progress, errors and interrupts."""
