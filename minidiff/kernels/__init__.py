"""What is fast: kernels that take the place of ops, loaded when the first array of their device arrives.

A kernel is one file in the folder of its device. It has the arguments and the answer of the op that it replaces, and
may import only ops and backend; nothing imports a kernel.
"""
