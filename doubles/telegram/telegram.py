"""What check.py and drive.py share: Telethon's client at a double, and the double's control side."""

import ipaddress
import json
import urllib.error
import urllib.request

from telethon import TelegramClient
from telethon.crypto import AuthKey, rsa
from telethon.sessions import StringSession


class Refused(Exception):
    """What the control side said no to."""


class Double:
    def __init__(self, line):
        said = json.loads(line)
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
