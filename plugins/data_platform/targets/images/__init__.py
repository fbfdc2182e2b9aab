"""Container images from package registries, without a daemon: one base, a layer for each artifact, one OCI layout."""
