"""How Schemathesis writes bodies of a kind that it does not know: security events (RFC 8417) are text."""

import schemathesis

schemathesis.serializer.alias("application/secevent+jwt", "text/plain")
