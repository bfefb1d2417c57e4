"""What proves the package without files of others: see README.md."""
