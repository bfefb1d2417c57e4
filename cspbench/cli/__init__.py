"""The command line: the commands by topic, and what they share; nothing heavy is imported until one runs."""
