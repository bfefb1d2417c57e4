"""What a training does because of the machine: its memory, its compiler, its number formats."""
