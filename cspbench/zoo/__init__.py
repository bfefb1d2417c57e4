"""Every network of the tables, a family a file; `catalogue` names them and says which row each one stands for."""
