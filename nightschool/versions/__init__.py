"""Versions: immutable adapters on disk, with checksums and lineage. No torch here."""
