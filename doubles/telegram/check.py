"""That a client which is not ours understands the double: Telethon, with all its checks. Prints a line for each scenario and
ends with 1 when any failed."""

import asyncio
import sys
import traceback

from telethon import errors, functions, types
from telethon.network import ConnectionTcpAbridged, ConnectionTcpIntermediate

from telegram import Double, Refused

double = Double(sys.argv[1])
WITHIN = 10


class Expected:
    """An error that has to come."""

    def __init__(self, error):
        self.error = error

    def __enter__(self):
        return self

    def __exit__(self, kind, found, trace):
        assert kind is not None and issubclass(kind, self.error), f"{self.error.__name__} is wanted, {found!r} came"
        return True


async def scanned(client, phone):
    """A code is shown and scanned; what the client makes of it."""
    login = await client.qr_login()
    waiting = asyncio.ensure_future(login.wait(WITHIN))
    await asyncio.sleep(0.05)
    double.call("/scan", {"url": login.url, "phone": phone})
    return await waiting


async def connected(dc=1, key=None, **more):
    client = double.client(double.session(dc, key), **more)
    await client.connect()
    return client


async def a_code_is_scanned():
    double.call("/accounts", {"phone": "491510000201", "first_name": "Grace", "last_name": "Hopper", "username": "grace"})
    client = await connected(device_model="Desk", app_version="7.1")
    me = await scanned(client, "491510000201")
    assert (me.first_name, me.last_name, me.username, me.phone) == ("Grace", "Hopper", "grace", "491510000201")
    assert me.is_self and me.id > 2**32
    assert (await client.get_me()).id == me.id
    full = await client(functions.users.GetFullUserRequest("me"))
    assert full.full_user.id == me.id and full.users[0].id == me.id
    devices = (await client(functions.account.GetAuthorizationsRequest())).authorizations
    assert [(one.device_model, one.app_version, one.api_id, one.current) for one in devices] == [("Desk", "7.1", double.api["id"], True)]
    await client.disconnect()


async def a_key_from_the_pool_needs_no_exchange():
    double.call("/accounts", {"phone": "491510000202"})
    given = {one["dc"]: one["key"] for one in double.call("/keys", {})}
    assert sorted(given) == [1, 2, 3]
    double.call("/log", method="DELETE")
    client = await connected(key=given[1])
    me = await scanned(client, "491510000202")
    await client.disconnect()
    again = double.client(client.session.save())
    await again.connect()
    assert (await again.get_me()).id == me.id
    await again.disconnect()
    assert [one["key"] for one in double.call("/log")] == [double.call("/sessions?phone=491510000202")[0]["key"]] * 2


scenarios = [value for name, value in list(globals().items()) if asyncio.iscoroutinefunction(value) and value.__module__ == __name__ and name not in ("scanned", "connected")]


async def main():
    failed = 0
    for scenario in scenarios:
        name = scenario.__name__.replace("_", " ")
        try:
            await asyncio.wait_for(scenario(), 60)
            print(f"ok: {name}", flush=True)
        except Exception:
            print(f"failed: {name}", flush=True)
            traceback.print_exc()
            failed = 1
    sys.exit(failed)


asyncio.run(main())
