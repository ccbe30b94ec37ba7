"""The networks, one a file, built from a configuration whose fields have the published names."""
