"""The limits of one process, from the settings."""

from tessera.api.serving.budgets import GuessLimits
from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.shares import ShareLimits, Shares
from tessera.idempotency.service import LIFETIME
from tessera.kit.shares import SlotTimeouts
from tessera.kit.token_buckets import Rate
from tessera.settings import Settings


def of_guesses(settings: Settings) -> GuessLimits:
    """The budgets of one of the processes of `tessera api`."""
    visitor_misses, wrong_secrets = settings.visitor_misses_per_minute, settings.wrong_secrets_per_minute
    limits = GuessLimits(
        misses=Rate(settings.misses_per_minute, settings.misses_burst),
        visitor_misses=Rate(visitor_misses, visitor_misses),
        wrong_secrets=Rate(wrong_secrets, wrong_secrets),
    )
    return limits.divided_by(settings.processes)


def shares(settings: Settings) -> Shares:
    """The shares of organizations; heavy work leaves half of the connections to all other requests."""
    heavy, large, mib = _part(settings.pool_size, 50), max(2, _part(settings.pool_size, 20)), 1024 * 1024
    limits = ShareLimits(
        heavy=heavy,
        heavy_of_one=_part(heavy, settings.organization_share_percent),
        large=large,
        large_of_one=_part(large, settings.organization_share_percent),
        bodies=settings.bodies_mib * mib,
        bodies_of_one=settings.organization_bodies_mib * mib,
        uploads=settings.uploads_mib * mib,
        uploads_of_one=settings.organization_uploads_mib * mib,
        open_imports_of_one=settings.organization_open_imports,
        responses_of_one=_responses(settings.organization_stored_mib * mib).divided_by(settings.processes),
        slot_timeouts=SlotTimeouts(own_share=settings.share_wait_seconds, all_slots=60),
    )
    return Shares(limits)


def of_connections(settings: Settings) -> ConnectionLimits:
    """The limits of the connections of one process."""
    return ConnectionLimits(
        head_bytes=settings.head_bytes,
        head_seconds=settings.head_seconds,
        body_bytes_per_second=settings.body_bytes_per_second,
        body_window_seconds=settings.body_window_seconds,
        write_seconds=settings.write_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        max_connections=settings.max_connections,
        unread_bytes=settings.unread_mib * 1024 * 1024,
        unread_bytes_of_one=settings.organization_unread_mib * 1024 * 1024,
    )


def _responses(size: int) -> Rate:
    return Rate(size / (LIFETIME.total_seconds() / 60), size)


def _part(number: int, percent: int) -> int:
    return max(1, number * percent // 100)
