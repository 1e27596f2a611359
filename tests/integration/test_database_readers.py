import asyncio

from tessera.api.serving.resources import Resources
from tessera.kit.db.readers import MAX_READERS


async def test_more_look_ups_at_once_than_readers_take_turns(resources: Resources) -> None:
    async def ask() -> int:
        ((answer,),) = await resources.database.fetch("select 1 from pg_sleep(0.05)", {})
        return int(answer)

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(ask() for _ in range(MAX_READERS * 3)))
    assert answers == [1] * (MAX_READERS * 3)
