"""Versions: immutable adapters on disk, with checksums and lineage. Imports no torch."""
