"""Every op of the tests' table, forward and backward."""
