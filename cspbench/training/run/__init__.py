"""A run of a training: how it is asked for, what is prepared, and its iterations in one process or several."""
