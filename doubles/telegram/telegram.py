"""What the checks and drive.py share: Telethon's client at a double, and the double's control side."""

import asyncio
import base64
import ipaddress
import json
import logging
import urllib.error
import urllib.request

from telethon import TelegramClient
from telethon.crypto import AuthKey, rsa
from telethon.sessions import StringSession

# What it has to say of cuts that were ordered.
logging.getLogger("telethon").setLevel(logging.CRITICAL)

#: How long anything may take, in seconds.
WITHIN = 10


class Refused(Exception):
    """What the control side said no to."""


class Double:
    def __init__(self, line, keys=None):
        said = json.loads(line)
        self.keys = keys
        self.control, self.api, self.dcs = said["control"], said["api"], said["dcs"]
        # Telethon asks nobody else for a key then.
        rsa._server_keys.clear()
        rsa.add_key(said["rsa"], old=False)

    def call(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data, method=method or ("GET" if data is None else "POST"))
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)["error"]) from None

    def session(self, dc=1, key=None):
        """A session that nobody is logged in with; with a key, nothing is exchanged."""
        session = StringSession()
        host, port = self.dcs[str(dc)].split(":")
        session.set_dc(dc, host, int(port))
        if key:
            session.auth_key = AuthKey(bytes.fromhex(key))
        return session

    def client(self, session, **more):
        """A client that gives up at once where Telethon would try again."""
        if isinstance(session, str):
            session = StringSession(session)
        assert ipaddress.ip_address(session.server_address).is_loopback
        more = {"connection_retries": 1, "retry_delay": 0, "request_retries": 2, "flood_sleep_threshold": 0, **more}
        return TelegramClient(session, self.api["id"], self.api["hash"], **more)

    async def connected(self, dc=1, key=None, **more):
        client = self.client(self.session(dc, key), **more)
        await client.connect()
        return client

    async def scanned(self, client, phone):
        """A code is shown and scanned; what the client makes of it."""
        login = await client.qr_login()
        waiting = asyncio.ensure_future(login.wait(WITHIN))
        await asyncio.sleep(0.05)
        self.call("/scan", {"url": login.url, "phone": phone})
        return await waiting


def url(token):
    """A token as a code shows it."""
    return "tg://login?token=" + base64.urlsafe_b64encode(token).decode().rstrip("=")


class Expected:
    """An error that has to come, with the words that have to be in it."""

    def __init__(self, error, words=""):
        self.error, self.words = error, words

    def __enter__(self):
        return self

    def __exit__(self, kind, found, trace):
        came = kind is not None and issubclass(kind, self.error) and self.words in str(found)
        assert came, f"{self.error.__name__} {self.words} is wanted, {found!r} came"
        return True
