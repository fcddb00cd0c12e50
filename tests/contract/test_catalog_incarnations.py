"""Life and death of daemons, and leases."""

from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations


async def test_who_is_not_heard_of_is_declared_dead(database: Database) -> None:
    incarnations = Incarnations(database)
    one, two, three = [await incarnations.register(f"daemon {number}\0") for number in range(3)]
    assert len({one, two, three}) == 3
    async with database.acquire() as connection:
        await connection.execute("UPDATE heartbeats SET seen_at = now() - interval '60 seconds'")
    await incarnations.heartbeat(two)
    assert await incarnations.mark_dead(older_than=90) == []
    assert await incarnations.mark_dead(older_than=30) == [one, three]
    await incarnations.heartbeat(one)
    assert await incarnations.mark_dead(older_than=30) == [one, three], "nobody rises from the dead"
    await incarnations.forget(one)
    await incarnations.forget(two)
    assert await incarnations.mark_dead(older_than=30) == [three]
    await incarnations.heartbeat(one)


async def test_a_retired_incarnation_is_dead(database: Database) -> None:
    incarnations = Incarnations(database)
    one = await incarnations.register("daemon")
    await incarnations.retire(one)
    assert await incarnations.mark_dead(older_than=30) == [one]
    assert await incarnations.register("daemon") > one


async def test_a_lease_has_one_holder_until_it_expires(database: Database) -> None:
    leases = Incarnations(database)
    assert await leases.try_lease("compact", 1, seconds=60)
    assert await leases.try_lease("compact", 1, seconds=60)
    assert not await leases.try_lease("compact", 2, seconds=60)
    assert await leases.try_lease("publish", 2, seconds=60)
    await leases.release_lease("compact", 2)
    assert not await leases.try_lease("compact", 2, seconds=60)
    await leases.release_lease("compact", 1)
    assert await leases.try_lease("compact", 2, seconds=0)
    assert await leases.try_lease("compact", 1, seconds=60)
