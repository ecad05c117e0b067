"""Stands where Telethon looks for pyaes, of which there is no built package. Telethon wants it to be there even where cryptg
does its work, and never calls it then."""

import cryptg  # noqa: F401: without it, pyaes would be called
