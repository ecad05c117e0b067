"""Telethon, driven by the tests of other clients: goes on with a session that another client exported as a Telethon session
string (on standard input), at the double whose line is the argument. Prints who that is, and how the list of devices shows
the login, as one line of JSON."""

import asyncio
import json
import sys

from telethon import functions

from telegram import Double


async def main():
    client = Double(sys.argv[1]).client(sys.stdin.read().strip())
    await client.connect()
    me = await client.get_me()
    if me is None:
        sys.exit("nobody is logged in")
    devices = (await client(functions.account.GetAuthorizationsRequest())).authorizations
    current = next(one for one in devices if one.current)
    said = {
        "id": me.id,
        "phone": me.phone,
        "first_name": me.first_name,
        "last_name": me.last_name,
        "username": me.username,
        "dc": client.session.dc_id,
        "device_model": current.device_model,
        "devices": len(devices),
    }
    await client.disconnect()
    print(json.dumps(said))


asyncio.run(main())
