"""The command line, `tessera`: another front door to the same services."""

from tessera.cli.app import run

__all__ = ["run"]
