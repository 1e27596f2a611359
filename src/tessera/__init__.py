"""Promo codes and vouchers for many organizations on one installation."""

__version__ = "0.1.0"
