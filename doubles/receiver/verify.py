"""Checks a call as a receiver would that uses the reference library: secret, headers and body come as JSON on standard
input. Ends with 0 and prints what was verified, or with 1 and says why not."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

call = json.load(sys.stdin)
try:
    print(json.dumps(Webhook(call["secret"]).verify(call["body"], call["headers"])))
except WebhookVerificationError as error:
    sys.exit(str(error))
