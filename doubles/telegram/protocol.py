"""Scenarios: the protocol below the logins, and what can be ordered of the double."""

import asyncio
import hashlib
import struct
import time
import zlib

from telethon import errors, functions, types
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate

from telegram import WITHIN, Expected, Refused


async def a_key_from_the_pool_needs_no_exchange(double):
    double.call("/accounts", {"phone": "491510000202"})
    given = {one["dc"]: one["key"] for one in double.call("/keys", {})}
    assert sorted(given) == [1, 2, 3]
    double.call("/log", method="DELETE")
    client = await double.connected(key=given[1])
    me = await double.scanned(client, "491510000202")
    await client.disconnect()
    again = double.client(client.session.save())
    await again.connect()
    assert (await again.get_me()).id == me.id
    await again.disconnect()
    assert [one["key"] for one in double.call("/log")] == [double.call("/sessions?phone=491510000202")[0]["key"]] * 2


async def a_key_from_the_file_is_good_at_its_data_centre_alone(double):
    with open(double.keys) as file:
        keys = [line.split() for line in file]
    assert [dc for dc, _ in keys] == ["1", "2", "3"] * 4 and len({key for _, key in keys}) == 12
    for dc, key in keys[:3]:
        client = await double.connected(int(dc), key)
        assert (await client(functions.help.GetNearestDcRequest())).this_dc == int(dc)
        await client.disconnect()
    with Expected(errors.AuthKeyNotFound):
        await double.connected(2, keys[3][1])


async def a_key_that_is_forgotten_is_refused_by_the_transport(double):
    double.call("/accounts", {"phone": "491510000216"})
    client = await double.connected()
    await double.scanned(client, "491510000216")
    text = client.session.save()
    await client.disconnect()
    double.call("/forget", {"phone": "491510000216"})
    for connection in (ConnectionTcpFull, ConnectionTcpAbridged, ConnectionTcpIntermediate):
        with Expected(errors.AuthKeyNotFound):
            await double.client(text, connection=connection).connect()


async def every_framing_is_understood(double):
    double.call("/log", method="DELETE")
    for connection in (ConnectionTcpAbridged, ConnectionTcpIntermediate):
        client = await double.connected(connection=connection)
        assert (await client(functions.help.GetNearestDcRequest())).this_dc == 1
        await client.disconnect()
    assert [one["transport"] for one in double.call("/log")] == ["abridged", "intermediate"]


async def what_no_client_may_send_is_cut(double):
    def full(body, number=0, spoilt=0):
        packet = struct.pack("<ii", len(body) + 12, number) + body
        return packet + struct.pack("<I", zlib.crc32(packet) ^ spoilt)

    async def answer(data):
        reader, writer = await asyncio.open_connection(*double.dcs["1"].split(":"))
        writer.write(data)
        said = await asyncio.wait_for(reader.read(), WITHIN)
        writer.close()
        return said

    key = bytes.fromhex(double.call("/keys", {"dc": 1})[0]["key"])
    known = hashlib.sha1(key).digest()[-8:]
    assert await answer(full(b"\1" * 8 + bytes(48))) == struct.pack("<i", -404)
    assert await answer(b"\xee" * 4 + struct.pack("<i", 56) + b"\1" * 8 + bytes(48)) == struct.pack("<ii", 4, -404)
    double.call("/log", method="DELETE")
    spoilt = {
        "a wrong message key": full(known + bytes(48)),
        "a wrong checksum": full(known + bytes(48), spoilt=1),
        "packets out of order": full(known + bytes(48), number=1),
        "a packet of 542393671 bytes": b"GET / HTTP/1.1\r\n\r\n",
    }
    for data in spoilt.values():
        assert await answer(data) == b""
    seen = [one["broken"] for one in double.call("/log") if one["broken"] != "-404"]
    assert seen == list(spoilt), seen


async def a_wrong_clock_and_old_salts_are_put_right(double):
    client = await double.connected()
    nearest = functions.help.GetNearestDcRequest()
    salts = set()
    for _ in range(2):
        await client(nearest)
        salts.add(client._sender._state.salt)
        double.call("/salts", {})
    assert len(salts) == 2 and 0 not in salts
    for offset in (-1_000, 1_000):
        client._sender._state.time_offset = offset
        client._sender._state._last_msg_id = 0
        await client(nearest)
        assert abs(client._sender._state.time_offset) <= 1
    client._sender._state._sequence -= 2
    await client(nearest)
    client._sender._state._get_seq_no = lambda content_related: 0
    with Expected(errors.BadMessageError):
        await client(nearest)
    await client.disconnect()


async def the_clock_of_the_service_may_be_another(double):
    for skew in (600, -600):
        double.call("/settings", {"skewMs": skew * 1000})
        key = double.call("/keys", {"dc": 1})[0]["key"]
        for given in (None, key):
            client = await double.connected(key=given)
            login = await client.qr_login()
            assert abs(login.expires.timestamp() - time.time() - skew - 30) < 3
            await client.disconnect()
    double.call("/settings", {"skewMs": 0})


async def many_requests_come_in_a_container_and_long_ones_packed(double):
    client = await double.connected()
    asked = [functions.help.GetNearestDcRequest() for _ in range(5)]
    assert [one.this_dc for one in await client(asked, ordered=True)] == [1] * 5
    packed = functions.auth.ExportLoginTokenRequest(double.api["id"], double.api["hash"], list(range(2_000)))
    assert len((await client(packed)).token) == 32
    assert (await client(functions.PingRequest(7))).ping_id == 7
    salts = await client(functions.GetFutureSaltsRequest(64))
    assert len({one.salt for one in salts.salts}) == 64
    await client.disconnect()


async def who_wants_no_updates_gets_none(double):
    double.call("/accounts", {"phone": "491510000217"})
    client = await double.connected(receive_updates=False)
    login = await client.qr_login()
    double.call("/scan", {"url": login.url, "phone": "491510000217"})
    with Expected(asyncio.TimeoutError):
        await login.wait(0.3)
    await login.recreate()
    assert isinstance(login._resp, types.auth.LoginTokenSuccess)
    await client.disconnect()


async def silence_failures_and_cuts_are_as_ordered(double):
    client = await double.connected()
    nearest = functions.help.GetNearestDcRequest()
    double.call("/silences", {"at": "help.getNearestDc"})
    with Expected(asyncio.TimeoutError):
        await asyncio.wait_for(client(nearest), 0.3)
    double.call("/silences", method="DELETE")
    double.call("/failures", {"method": "help.getNearestDc", "error": "CHAT_INVALID", "times": 2})
    for _ in range(2):
        with Expected(errors.ChatInvalidError):
            await client(nearest)
    await client(nearest)
    double.call("/drop", {})
    await asyncio.sleep(0.2)
    await client(nearest)
    await client.disconnect()
    double.call("/silences", {"at": "connect", "dc": 1})
    client = double.client(double.session(key=double.call("/keys", {"dc": 1})[0]["key"]))
    with Expected(asyncio.TimeoutError):
        await asyncio.wait_for(client.connect(), 0.3)
    double.call("/silences", method="DELETE")
    await client.disconnect()


async def what_is_not_imitated_is_refused_and_logged(double):
    client = await double.connected()
    double.call("/log", method="DELETE")
    with Expected(errors.BadRequestError, "INPUT_METHOD_INVALID"):
        await client(functions.contacts.GetStatusesRequest())
    with Expected(errors.ConnectionLayerInvalidError):
        await client(functions.InvokeWithLayerRequest(100, client._init_request))
    refused = [one["error"] for one in double.call("/log")[-1]["requests"]]
    assert refused == [f"INPUT_METHOD_INVALID_{functions.contacts.GetStatusesRequest.CONSTRUCTOR_ID}", "CONNECTION_LAYER_INVALID"], refused
    for path, body, wrong in (
        ("/accounts", {"phone": "491510000218", "phon": 1}, "phon"),
        ("/accounts", {"phone": "491510000218", "dc": 9}, "dc"),
        ("/silences", {"at": "auth.exportLoginTokens"}, "at"),
        ("/settings", {"tokenMs": -1}, "tokenMs"),
        ("/scan", {"url": "https://t.me", "phone": "491510000201"}, "not-a-code"),
    ):
        with Expected(Refused, wrong):
            double.call(path, body)
    await client.disconnect()
