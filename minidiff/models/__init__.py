"""The networks, one per file, built from configurations whose fields have the published names."""
