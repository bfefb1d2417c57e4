"""Darknet's losses: what each passes back, which often is not the gradient of what it prints (spec training d)."""
