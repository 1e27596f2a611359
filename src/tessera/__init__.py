"""Promo codes and vouchers for many organizations on one installation."""

# CONTRIBUTING.md says what a version promises, and CHANGELOG.md what it changes.
__version__ = "0.2.0"
