"""The jobs that wait for a worker."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

# Counting stops here, because more waiting jobs make no difference.
MAX_COUNTED = 10_000
COUNT = """
select count(*) from (
    select from procrastinate_jobs
    where status = 'todo' and args ->> 'organization_id' = %s and task_name = %s limit %s
) as waiting
"""


async def count_waiting_jobs(connection: AsyncConnection, organization_id: UUID, task_name: str) -> int:
    """The number of jobs of a task that wait for this organization, at most MAX_COUNTED."""
    parameters = (str(organization_id), task_name, MAX_COUNTED)
    return int((await connection.exec_driver_sql(COUNT, parameters)).scalar_one())
