"""Kernels: fast replacements of ops, loaded when the first array on their device arrives.

A kernel lives in the folder of its device, and takes and returns what its op does. Kernels import only `ops` and
`backend`, and no other part imports a kernel.
"""
