"""Every network of the tables, a family a file; `registry` has them all by name."""
